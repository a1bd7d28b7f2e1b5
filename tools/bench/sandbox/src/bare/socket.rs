//! A round trip over a Unix socket to another process, with nothing but the bytes.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench_side::{PAYLOAD, time};

/// Sends the payload there and back. Nothing but the kernel stands in between: both ends block.
pub(super) async fn measure(longest: Duration) -> Result<f64> {
    let folder = tempfile::tempdir().context("making a folder")?;
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).context("listening")?;
    let own = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(own).arg(&path).spawn().context("starting the other end")?;
    let (mut stream, _) = listener.accept().context("waiting for the other end")?;
    let taken = time(longest, async || {
        let mut reply = [0; PAYLOAD.len()];
        stream.write_all(&PAYLOAD)?;
        stream.read_exact(&mut reply)?;
        Ok(())
    })
    .await?;
    drop(stream);
    ensure!(child.wait()?.success(), "the other end failed");
    Ok(taken)
}

/// Sends everything back that comes: the other end.
///
/// # Errors
/// Those of the socket.
pub fn answer(socket: &Path) -> Result<()> {
    let mut stream = UnixStream::connect(socket).context("connecting")?;
    let mut message = [0; PAYLOAD.len()];
    while stream.read_exact(&mut message).is_ok() {
        stream.write_all(&message)?;
    }
    Ok(())
}
