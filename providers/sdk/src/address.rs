//! How an address is written when it leaves the process: as text, in every format.

/// One address.
pub(crate) mod one {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        address: &SocketAddr,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_str(address)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

/// Several.
pub(crate) mod list {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        addresses: &[SocketAddr],
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_seq(addresses.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Vec<SocketAddr>, D::Error> {
        let texts = Vec::<String>::deserialize(input)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}
