//! Frames on a stream.

use std::io;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use trellis_core::wire::reader::Reader;
use trellis_core::{CallError, Code, wire};

use super::protocol::{FRAME_BYTES_MAX, FRAME_VALUES_MAX};

/// Bytes before a frame that say how long it is.
const LENGTH_BYTES: usize = 4;
/// Bytes set aside at once for a frame on the word of its length alone.
const TRUSTED_BYTES: usize = 64 << 10;

/// Longest name of a kind that is repeated.
const KIND_BYTES_MAX: usize = 16;

/// A frame as it goes out: its length, then a MessagePack map.
///
/// # Errors
/// [`Code::TooLarge`] when it is longer than [`FRAME_BYTES_MAX`].
pub fn encode<F: Serialize>(frame: &F) -> Result<Vec<u8>, CallError> {
    let mut bytes = vec![0; LENGTH_BYTES];
    wire::encode_into(frame, &mut bytes)?;
    let length = bytes.len() - LENGTH_BYTES;
    let short = u32::try_from(length).ok().filter(|_| length <= FRAME_BYTES_MAX);
    let Some(short) = short else {
        let message = format!(
            "a message of {length} bytes does not fit into a frame, which has at most \
             {FRAME_BYTES_MAX}"
        );
        return Err(CallError::new(Code::TooLarge, message));
    };
    bytes[..LENGTH_BYTES].copy_from_slice(&short.to_be_bytes());
    Ok(bytes)
}

/// The frames that come in over a stream.
pub struct Frames<R> {
    /// Takes in as many frames at once as have come.
    stream: BufReader<R>,
    body: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Reads frames from this stream.
    pub fn new(stream: R) -> Self {
        Self { stream: BufReader::with_capacity(TRUSTED_BYTES, stream), body: Vec::new() }
    }

    /// The stream they come from.
    #[must_use]
    pub fn stream(&self) -> &R {
        self.stream.get_ref()
    }

    /// The next frame, of at most `bytes_max` bytes; `None` when the other side closed the stream
    /// after a whole one. To be dropped after an error: what follows has no beginning.
    ///
    /// # Errors
    /// What is wrong with what came, or with the stream. Nothing is set aside for a frame that is
    /// too long.
    pub async fn next<F: DeserializeOwned>(&mut self, bytes_max: usize) -> io::Result<Option<F>> {
        let Some(length) = self.length(bytes_max).await? else { return Ok(None) };
        self.body.clear();
        self.body.shrink_to(TRUSTED_BYTES);
        // Grows with what comes, not with what was promised.
        let read = (&mut self.stream).take(length as u64).read_to_end(&mut self.body).await?;
        if read < length {
            let text = format!("the stream ended after {read} of {length} bytes of a frame");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        Reader::new(&self.body).skip_of(FRAME_VALUES_MAX).map_err(|error| {
            malformed(&format!("in a frame of at most {FRAME_VALUES_MAX} values, {error}"))
        })?;
        let frame = wire::decode(&self.body).map_err(|error| match kind(&self.body) {
            Some(kind) => malformed(&format!("in a frame `{kind}`, {}", error.message())),
            None => malformed(error.message()),
        })?;
        Ok(Some(frame))
    }

    async fn length(&mut self, bytes_max: usize) -> io::Result<Option<usize>> {
        let mut length = [0; LENGTH_BYTES];
        if self.stream.read(&mut length[..1]).await? == 0 {
            return Ok(None);
        }
        self.stream.read_exact(&mut length[1..]).await?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > bytes_max {
            return Err(malformed(&format!(
                "a frame of {length} bytes; at most {bytes_max} may come"
            )));
        }
        Ok(Some(length))
    }
}

/// What kind of frame it was to be.
fn kind(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Tagged {
        t: String,
    }
    let Tagged { t } = wire::decode(body).ok()?;
    let is_name = t.len() <= KIND_BYTES_MAX && t.bytes().all(|byte| byte.is_ascii_lowercase());
    is_name.then_some(t)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
