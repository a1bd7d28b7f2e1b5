//! What only a start can set.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use trellis_limits::HostLimits;
use trellis_manifest::{CacheSpec, HostSpec, SocketSpec};
use trellis_telemetry::Written;

use crate::args::{HostArgs, SocketPlace};
use crate::telemetry;

/// The settings a host is built with: those of the command line, else those of the manifest.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct StartSettings {
    /// Where the admin address is to be bound.
    pub(crate) admin: Option<SocketAddr>,
    /// Where the admin socket is to be made.
    pub(crate) socket: SocketPlace,
    /// Where compiled modules are kept, if they are.
    pub(crate) cache: Option<PathBuf>,
    /// Bounds of all actors together.
    pub(crate) limits: HostLimits,
    /// What the manifest says of where telemetry goes.
    pub(crate) telemetry: Written,
}

impl StartSettings {
    /// What a start with these arguments and this part of the manifest would take.
    pub(crate) fn of(args: &HostArgs, written: &HostSpec) -> Self {
        let folder = args.manifest.parent().unwrap_or(Path::new(""));
        let cache = match &written.cache {
            CacheSpec::User => crate::cache::default_dir(),
            CacheSpec::Off => None,
            CacheSpec::Dir(cache) => Some(folder.join(&cache.value)),
        };
        let cache = args.cache_dir.clone().or(cache).filter(|_| !args.no_cache);
        let admin = args.admin.or(written.admin.as_ref().map(|admin| admin.value));
        let socket = match &written.socket {
            SocketSpec::User => SocketPlace::User,
            SocketSpec::Off => SocketPlace::Off,
            SocketSpec::At(path) => SocketPlace::At(folder.join(&path.value)),
        };
        let socket = args.socket.clone().unwrap_or(socket);
        let telemetry = written.telemetry.as_ref().map(telemetry::written).unwrap_or_default();
        Self { admin, socket, cache, limits: written.limits, telemetry }
    }

    /// The keys under `host` whose values are others.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let (own, others) = (&self.limits, &other.limits);
        let pairs = [
            ("admin", self.admin == other.admin),
            ("socket", self.socket == other.socket),
            ("cache", self.cache == other.cache),
            ("instances_total", own.instances_total_max == others.instances_total_max),
            ("modules_resident", own.modules_resident_max == others.modules_resident_max),
            (
                "host_calls_in_flight",
                own.host_calls_in_flight_max == others.host_calls_in_flight_max,
            ),
            ("telemetry", self.telemetry == other.telemetry),
        ];
        pairs.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use trellis_manifest::{Span, Spanned};

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        host: HostArgs,
    }

    #[test]
    fn what_the_command_line_says_is_changed_by_no_manifest() {
        let settings = |line: &str, port: u16, cache: CacheSpec| {
            let line = line.split_whitespace();
            let args = CommandLine::try_parse_from(line).expect("a command line").host;
            let admin = Some(Spanned::new(([127, 0, 0, 1], port).into(), Span::default()));
            StartSettings::of(&args, &HostSpec { admin, cache, ..HostSpec::default() })
        };
        let folder = |name: &str| CacheSpec::Dir(Spanned::new(name.to_owned(), Span::default()));
        let plain = "host -m app/app.yaml";
        let built = settings(plain, 1, folder("cache"));
        assert_eq!(built.cache.as_deref(), Some(Path::new("app/cache")));
        assert_eq!(built.differences(&settings(plain, 1, folder("cache"))), [""; 0]);
        assert_eq!(built.differences(&settings(plain, 2, CacheSpec::Off)), ["admin", "cache"]);

        let socket = |flags: &str, written: &str| {
            let line = format!("{plain} {flags}");
            let args = CommandLine::try_parse_from(line.split_whitespace()).expect("a line").host;
            let socket = SocketSpec::At(Spanned::new(written.to_owned(), Span::default()));
            StartSettings::of(&args, &HostSpec { socket, ..HostSpec::default() }).socket
        };
        assert_eq!(socket("", "a.sock"), SocketPlace::At("app/a.sock".into()));
        assert_eq!(socket("--socket b.sock", "a.sock"), SocketPlace::At("b.sock".into()));
        assert_eq!(socket("--socket off", "a.sock"), SocketPlace::Off);

        let flags = "host -m app/app.yaml --admin 127.0.0.1:9 --no-cache";
        let built = settings(flags, 1, folder("cache"));
        assert_eq!(built.differences(&settings(flags, 2, folder("other"))), [""; 0]);
    }
}
