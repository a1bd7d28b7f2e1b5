//! Whether a server keeps what is written to it.

use redis::cmd;
use trellis_core::{CallError, Code};

use crate::seat::Seat;

/// From this part of `maxmemory` on, a server that removes keys to make room is taken to be about
/// to: in hundredths.
const NEARLY_FULL: u64 = 90;

impl Seat {
    /// Makes sure that the server does not throw away keys to make room for others. Whether it
    /// takes writes at all is for a script to find out.
    ///
    /// # Errors
    /// [`Code::Provider`], saying how full it is.
    pub(super) async fn keeps_what_is_written(&self) -> Result<(), CallError> {
        let about: String = self.ask(cmd("INFO").arg("memory")).await?;
        match removes_keys(&about) {
            Some(why) => Err(CallError::new(Code::Provider, why)),
            None => Ok(()),
        }
    }
}

/// Why a server is about to remove keys by itself, by what it says of its memory. A server that
/// does not say is believed.
fn removes_keys(about: &str) -> Option<String> {
    let value = |key: &str| {
        let of = |line: &&str| line.split_once(':').is_some_and(|(name, _)| name == key);
        about.lines().find(of).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    };
    let number = |key| value(key)?.parse::<u64>().ok();
    let (used, most) = (number("used_memory")?, number("maxmemory").filter(|most| *most > 0)?);
    let policy = value("maxmemory_policy").filter(|policy| *policy != "noeviction")?;
    let is_near = used >= most / 100 * NEARLY_FULL;
    let plain = policy.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let policy = if plain { policy } else { "of its own" };
    is_near.then(|| {
        format!(
            "Redis uses {used} of {most} bytes (maxmemory) and throws keys away when it has no \
             more (maxmemory-policy {policy}); raise maxmemory, or set the policy to noeviction"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_nearly_full_and_throws_away_is_not_trusted() {
        let says = |used: u64, most: u64, policy: &str| {
            let about = format!(
                "# Memory\r\nused_memory:{used}\r\nused_memory_human:1K\r\nmaxmemory:{most}\r\n\
                 maxmemory_policy:{policy}\r\n"
            );
            removes_keys(&about)
        };
        assert_eq!(says(89, 100, "allkeys-lru"), None);
        let why = says(90, 100, "allkeys-lru").expect("it is nearly full");
        assert!(why.contains("90 of 100 bytes") && why.contains("allkeys-lru"), "{why}");
        // One that refuses says so itself; without a bound nothing is ever full.
        for (used, most, policy) in [(99, 100, "noeviction"), (99, 0, "allkeys-lru")] {
            assert_eq!(says(used, most, policy), None);
        }
        assert_eq!(removes_keys("nothing of that"), None);
    }
}
