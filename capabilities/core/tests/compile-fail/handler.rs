use trellis_macros::handler;

#[handler("Echo")]
async fn late(payload: &[u8]) -> Result<Vec<u8>, ()> {
    Ok(payload.to_vec())
}

#[handler]
fn nameless(payload: &[u8]) -> Result<Vec<u8>, ()> {
    Ok(payload.to_vec())
}

#[handler("Echo")]
fn silent(payload: &[u8]) {}

#[handler("Echo")]
fn two(first: &[u8], second: &[u8]) -> Result<Vec<u8>, ()> {
    Ok(first.to_vec())
}

fn main() {}
