//! What the paths of the admin API name.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use trellis_claims::Scope;

/// What a query says that asks for payloads.
pub(super) const SHOWS_PAYLOAD: &str = "payload=true";

/// What a path names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// `/livez`, `/healthz`: whether the host runs.
    Live,
    /// `/readyz`: whether it should get traffic.
    Ready,
    /// `/metrics`.
    Metrics,
    /// Something below `/v1` that is told.
    Listing(Listing),
    /// `/v1/openapi.json`: what else there is.
    OpenApi,
    /// `/v1/actors/NAME/invoke/OPERATION`.
    Invoke {
        /// The name, the key or the call alias of an actor.
        actor: String,
        /// The operation's name on the wire.
        operation: String,
    },
    /// `/v1/data/ACTOR/BINDING/export` and `import`: what an actor has in a store.
    Data {
        /// The actor's name.
        actor: String,
        /// The binding's name.
        binding: String,
        /// Whether something is put there.
        import: bool,
    },
    /// `/v1/edits`: what runs other than the manifest says, and more of that.
    Edits,
    /// What happens: it is listed, or followed.
    Follow(Feed),
    /// `/v1/actors/NAME/calls`: the calls of an actor, as they go on.
    Spy {
        /// The name or the key of an actor.
        actor: String,
        /// What is said in them as well.
        shows_payload: bool,
    },
    /// `/v1/calls`, `/v1/calls/TRACE`: why calls were let through or not.
    Decisions(Option<String>),
    /// Below `/v1` there is nothing of that name.
    NoResource,
    /// There is nothing of that name.
    Nothing,
}

/// What is told below `/v1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Listing {
    /// `/v1/host`: who the host is.
    Host,
    /// `/v1/status`: what does not work.
    Status,
    /// `/v1/actors`.
    Actors,
    /// `/v1/actors/NAME`, the name or the key of an actor.
    Actor(String),
    /// `/v1/providers`.
    Providers,
    /// `/v1/providers/NAME`.
    Provider(String),
    /// `/v1/bindings`.
    Bindings,
    /// `GET /v1/edits`: what runs other than the manifest says.
    Edits,
    /// `/v1/history`: what changed.
    History,
    /// `/v1/loads`: what there is to do.
    Loads,
}

/// What can be followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Feed {
    /// `/v1/events`: what happens on the host.
    Events,
    /// `/v1/logs`: what it logs, and what runs on it.
    Logs,
}

impl Feed {
    /// The keys of a query that say which of them are meant.
    pub(super) const fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Events => &["type"],
            Self::Logs => &["about", "level"],
        }
    }
}

impl Route {
    /// What a path names; names in it may be percent-encoded. Of its query only what decides who
    /// may ask.
    pub(super) fn of(path: &str, query: &str) -> Self {
        match path {
            "/livez" | "/healthz" => return Self::Live,
            "/readyz" => return Self::Ready,
            "/metrics" => return Self::Metrics,
            "/v1" => return Self::NoResource,
            _ => {}
        }
        let Some(rest) = path.strip_prefix("/v1/") else { return Self::Nothing };
        Self::below_v1(rest, query).unwrap_or(Self::NoResource)
    }

    /// What who asks over the admin address has to be allowed; `None` for what anybody may ask.
    pub(super) const fn needs(&self, is_read: bool) -> Option<Scope> {
        match self {
            Self::Live | Self::Ready | Self::Metrics | Self::Nothing => None,
            // What is not there is told to who may look, too.
            Self::Listing(_) | Self::OpenApi | Self::NoResource => Some(Scope::Read),
            Self::Follow(Feed::Events) => Some(Scope::Read),
            // What actors print may be anything.
            Self::Invoke { .. } | Self::Follow(Feed::Logs) | Self::Decisions(_) => {
                Some(Scope::Operate)
            }
            Self::Spy { shows_payload: false, .. } => Some(Scope::Operate),
            // What is said in calls is not for who may only make some.
            Self::Spy { shows_payload: true, .. } => Some(Scope::Admin),
            // Values may be anything that users gave an actor, and so may names. Who may call
            // actors gets at them anyway, a call at a time.
            Self::Data { import: false, .. } => Some(Scope::Operate),
            // No actor checks what is put there, and nothing takes it back.
            Self::Data { import: true, .. } => Some(Scope::Admin),
            Self::Edits if is_read => Some(Scope::Read),
            // An edit may name files of the host's machine, and programs that it is to start.
            Self::Edits => Some(Scope::Admin),
        }
    }

    fn below_v1(path: &str, query: &str) -> Option<Self> {
        let names: Option<Vec<Cow<'_, str>>> = path.split('/').map(decoded).collect();
        let names = names?;
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        Some(Self::Listing(match *names {
            ["openapi.json"] => return Some(Self::OpenApi),
            ["host"] => Listing::Host,
            ["status"] => Listing::Status,
            ["actors"] => Listing::Actors,
            ["actors", actor] => Listing::Actor(actor.to_owned()),
            ["providers"] => Listing::Providers,
            ["providers", provider] => Listing::Provider(provider.to_owned()),
            ["bindings"] => Listing::Bindings,
            ["history"] => Listing::History,
            ["loads"] => Listing::Loads,
            ["edits"] => return Some(Self::Edits),
            ["calls"] => return Some(Self::Decisions(None)),
            ["calls", trace] => return Some(Self::Decisions(Some(trace.to_owned()))),
            ["actors", actor, "calls"] => {
                let shows_payload = query.split('&').any(|pair| pair == SHOWS_PAYLOAD);
                return Some(Self::Spy { actor: actor.to_owned(), shows_payload });
            }
            ["logs"] => return Some(Self::Follow(Feed::Logs)),
            ["events"] => return Some(Self::Follow(Feed::Events)),
            ["data", actor, binding, way @ ("export" | "import")] => {
                let (actor, binding) = (actor.to_owned(), binding.to_owned());
                return Some(Self::Data { actor, binding, import: way == "import" });
            }
            ["actors", actor, "invoke", operation] => {
                let (actor, operation) = (actor.to_owned(), operation.to_owned());
                return Some(Self::Invoke { actor, operation });
            }
            _ => return None,
        }))
    }
}

/// A segment of a path; `None` when it is empty or no text.
fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_thing() {
        let actor = |name: &str| Route::Listing(Listing::Actor(name.to_owned()));
        let (name, operation) = ("a/b".to_owned(), "Do It".to_owned());
        let data =
            |import| Route::Data { actor: "a/b".to_owned(), binding: "default".to_owned(), import };
        for (path, route) in [
            ("/livez", Route::Live),
            ("/healthz", Route::Live),
            ("/readyz", Route::Ready),
            ("/metrics", Route::Metrics),
            ("/v1/openapi.json", Route::OpenApi),
            ("/v1/host", Route::Listing(Listing::Host)),
            ("/v1/edits", Route::Edits),
            ("/v1/history", Route::Listing(Listing::History)),
            ("/v1/events", Route::Follow(Feed::Events)),
            ("/v1/logs", Route::Follow(Feed::Logs)),
            ("/v1/actors", Route::Listing(Listing::Actors)),
            ("/v1/actors/counter", actor("counter")),
            ("/v1/actors/a%2Fb", actor("a/b")),
            ("/v1/actors/%C3%A9", actor("é")),
            ("/v1/actors/a%2Fb/invoke/Do%20It", Route::Invoke { actor: name, operation }),
            ("/v1/data/a%2Fb/default/export", data(false)),
            ("/v1/data/a%2Fb/default/import", data(true)),
            ("/v1/data/a/default", Route::NoResource),
            ("/v1/data/a/default/erase", Route::NoResource),
            ("/v1/actors/", Route::NoResource),
            ("/v1/actors/%FF", Route::NoResource),
            ("/v1/actors/a/b", Route::NoResource),
            ("/v1//host", Route::NoResource),
            ("/v1", Route::NoResource),
            ("/v1/", Route::NoResource),
            ("/v2/host", Route::Nothing),
            ("/", Route::Nothing),
        ] {
            assert_eq!(Route::of(path, ""), route, "{path}");
        }
    }

    #[test]
    fn nothing_below_v1_is_for_anybody() {
        for (path, needs) in [
            ("/livez", None),
            ("/healthz", None),
            ("/readyz", None),
            ("/metrics", None),
            ("/", None),
            ("/v2/host", None),
            ("/v1", Some(Scope::Read)),
            ("/v1/", Some(Scope::Read)),
            ("/v1//host", Some(Scope::Read)),
            ("/v1/host", Some(Scope::Read)),
            ("/v1/openapi.json", Some(Scope::Read)),
            ("/v1/history", Some(Scope::Read)),
            ("/v1/loads", Some(Scope::Read)),
            ("/v1/edits", Some(Scope::Read)),
            ("/v1/events", Some(Scope::Read)),
            ("/v1/logs", Some(Scope::Operate)),
            ("/v1/calls", Some(Scope::Operate)),
            ("/v1/calls/4bf9", Some(Scope::Operate)),
            ("/v1/actors/a/invoke/B", Some(Scope::Operate)),
            ("/v1/data/a/b/export", Some(Scope::Operate)),
            ("/v1/data/a/b/import", Some(Scope::Admin)),
        ] {
            assert_eq!(Route::of(path, "").needs(true), needs, "{path}");
        }
        assert_eq!(Route::Edits.needs(false), Some(Scope::Admin));
        for (query, needs) in [
            ("", Scope::Operate),
            ("payload=false", Scope::Operate),
            ("payload=true", Scope::Admin),
            ("a=b&payload=true", Scope::Admin),
        ] {
            let route = Route::of("/v1/actors/a/calls", query);
            assert_eq!(route.needs(true), Some(needs), "{query}");
        }
    }
}
