//! A provider of a contract of its own, `demo:geo`, that is a signed module: where places are.
//!
//! It keeps nothing between calls: the places that a binding adds come with each of its calls.
//!
//! **Deliberately absent:** who asks.

use trellis_actor::provider::{About, Configuration, Setting, caller};
use trellis_core::wire::Pairs;
use trellis_core::{CallError, Code};

mod geo {
    //! The contract: its messages, its operations and the trait of who serves it.

    trellis_macros::contract! { "geo.wit", aliases: [] }
}

/// Name, degrees north, degrees east.
type Place = (String, f64, f64);

const BUILT_IN: &[(&str, f64, f64)] =
    &[("Berlin", 52.52, 13.405), ("Lima", -12.0464, -77.0428), ("Oslo", 59.9139, 10.7522)];

struct Geo;

impl geo::Provider for Geo {
    type Caller = ();

    async fn locate(
        &self,
        (): &(),
        geo::LocateRequest { name }: geo::LocateRequest,
    ) -> Result<geo::Place, CallError> {
        let places = places(&caller()?.values)?;
        let Some((_, latitude, longitude)) = places.iter().find(|place| place.0 == name) else {
            let known: Vec<_> = places.iter().map(|place| place.0.as_str()).collect();
            let text = format!("no place `{name}` is known; known are: {}", known.join(", "));
            return Err(CallError::new(Code::NotFound, text));
        };
        Ok(geo::Place { name, latitude: *latitude, longitude: *longitude })
    }
}

trellis_actor::serve! {
    geo => Geo,
    About::new("geo", env!("CARGO_PKG_VERSION"), "Knows where a few places are.")
        .settings(&[Setting::text("PLACES", "More places: `NAME=LATITUDE,LONGITUDE;...`.")])
        .bind(check)
}

/// Refuses a binding whose values are wrong.
fn check(configuration: &Configuration) -> Result<(), CallError> {
    places(&configuration.values).map(drop)
}

/// The places that are built in, and those of the values, by their names.
fn places(values: &Pairs<String>) -> Result<Vec<Place>, CallError> {
    let mut places: Vec<Place> =
        BUILT_IN.iter().map(|(name, north, east)| ((*name).to_owned(), *north, *east)).collect();
    let written = values.get("PLACES").map_or("", String::as_str);
    for place in written.split(';').filter(|it| !it.is_empty()) {
        let place = read(place).ok_or_else(|| {
            let text = "PLACES has an entry that is no place; write `NAME=LATITUDE,LONGITUDE`, \
                        and `;` between two of them";
            CallError::new(Code::Config, text)
        })?;
        places.retain(|known| known.0 != place.0);
        places.push(place);
    }
    places.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(places)
}

fn read(place: &str) -> Option<Place> {
    let (name, at) = place.split_once('=')?;
    let (latitude, longitude) = at.split_once(',')?;
    let (latitude, longitude): (f64, f64) =
        (latitude.trim().parse().ok()?, longitude.trim().parse().ok()?);
    let is_place = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    is_place.then(|| (name.trim().to_owned(), latitude, longitude))
}

#[cfg(test)]
mod tests {
    use trellis_actor::testing::{call, with_host};
    use trellis_core::OperationSpec;

    use super::*;

    fn locate(name: &str, more: &'static str) -> Result<geo::Place, String> {
        let request = geo::Locate::encode_input(&geo::LocateRequest { name: name.to_owned() });
        let values = Pairs(vec![("PLACES".to_owned(), more.to_owned())]);
        let asked = trellis_actor::provider::Origin {
            module: "M".to_owned(),
            name: "places".to_owned(),
            binding: "default".to_owned(),
            values,
        };
        let host = move |call: &trellis_actor::testing::HostCall| {
            assert_eq!((&*call.namespace, &*call.operation), ("trellis:provider", "Caller"));
            Ok(trellis_core::wire::to_bytes(&asked))
        };
        let (answer, _) = with_host(host, || call("Locate", &request));
        let place = answer.map_err(|error| error.text().to_owned())?;
        geo::Locate::decode_output(&place).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_known_and_added() {
        assert_eq!(locate("Oslo", "").expect("it is known").latitude, 59.9139);
        assert_eq!(locate("Rome", "Rome=41,12.5").expect("it was added").longitude, 12.5);
        let error = locate("Rome", "").expect_err("it is not known");
        assert_eq!(error, "E_NOT_FOUND: no place `Rome` is known; known are: Berlin, Lima, Oslo");
        let error = locate("Rome", "Rome=91,0").expect_err("there is no such place");
        assert!(error.starts_with("E_CONFIG: PLACES has an entry that is no place"), "{error}");
    }
}
