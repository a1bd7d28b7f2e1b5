//! What can go wrong with a call, by kind and by stable code.
//!
//! A [`Code`] is a promise to users: its meaning never changes, `trellis explain CODE` prints its
//! cause and cure, and `docs/errors.md` lists them all from [`Code::ALL`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// The few ways in which a call can fail, for code that decides what to do next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ErrorKind {
    /// Claims, binding or policy refuse the call.
    Denied,
    /// Nothing with that name exists here.
    NotFound,
    /// A queue or a pool is full, or the host is stopping.
    Busy,
    /// The deadline passed.
    Deadline,
    /// The actor failed: it trapped, broke a limit or answered with an error.
    Guest,
    /// The provider, or the server behind it, failed.
    Provider,
    /// Another host could not be reached.
    Lattice,
    /// The request itself is wrong: a malformed message, module, manifest or name.
    Invalid,
}

impl ErrorKind {
    /// The kind's name in logs, metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Busy => "busy",
            Self::Deadline => "deadline",
            Self::Guest => "guest",
            Self::Provider => "provider",
            Self::Lattice => "lattice",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal, $kind:ident, retry: $retry:literal,
        cause: $cause:literal, cure: $cure:literal;)+) => {
        /// A stable error code, as users meet it.
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize,
        )]
        pub enum Code { $($(#[doc = $doc])+ #[serde(rename = $text)] $variant,)+ }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The code's text, such as `E_DENIED`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The kind the code belongs to.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)+ }
            }

            /// True when the call was refused before it reached its target, so sending it again
            /// does nothing twice.
            #[must_use]
            pub const fn retry_is_safe(self) -> bool {
                match self { $(Self::$variant => $retry,)+ }
            }

            /// Why a user meets this code.
            #[must_use]
            pub const fn cause(self) -> &'static str {
                match self { $(Self::$variant => $cause,)+ }
            }

            /// What a user can do about it.
            #[must_use]
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$variant => $cure,)+ }
            }
        }
    };
}

codes! {
    /// The module is not well-formed WebAssembly.
    ModuleInvalid = "E_MODULE_INVALID", Invalid, retry: false,
        cause: "The file is not a well-formed WebAssembly module; the message says what it is instead, or at which byte it is broken.",
        cure: "Check that the file is the module that was built (a core module, .wasm) and was copied whole; or build it again.";
    /// The module exceeds a static limit, or did not compile within its limits.
    ModuleLimit = "E_MODULE_LIMIT", Invalid, retry: false,
        cause: "The module is larger, or compiles slower, than the host allows; the message names the limit.",
        cure: "Make the module smaller: strip debug information, optimize for size. If it really needs more, raise the key in the manifest that the message names; docs/limits.md says how far each goes.";
    /// The module imports, exports or uses something that the host does not support.
    ModuleAbi = "E_MODULE_ABI", Invalid, retry: false,
        cause: "The host does not know an import, an export is missing or has the wrong type, or the module uses \
                a part of WebAssembly that the host does not run.",
        cure: "Build the actor with a waPC guest SDK for WebAssembly 2.0 and without what the message names; \
               `trellis inspect FILE` lists its imports and exports.";
    /// The file is no sound provider archive.
    Archive = "E_ARCHIVE", Invalid, retry: false,
        cause: "The file is not a sound provider archive, or is over a limit; the message says what is wrong with it.",
        cure: "Make it with `trellis par create` and `trellis par insert`, and copy it whole; docs/archives.md says what an archive may hold.";
    /// The module carries no claims.
    Unsigned = "E_UNSIGNED", Denied, retry: false,
        cause: "The module has no claims section, so nobody vouches for it.",
        cure: "Sign it: `trellis sign FILE --name NAME`, with `--cap CONTRACT` for each capability it uses (`trellis \
               inspect FILE` shows its imports), and with `--provider` if it is to be a provider.";
    /// The token's signature does not verify.
    Signature = "E_SIGNATURE", Denied, retry: false,
        cause: "The token was changed after signing, or was not signed by its issuer's key.",
        cure: "Sign it again; if you did not change it, do not run it.";
    /// The module is not the one that was signed.
    Hash = "E_HASH", Denied, retry: false,
        cause: "The bytes of a module, or of a program in an archive, differ from the hash in its claims.",
        cure: "Sign it again after its last change; if you did not change it, do not run it.";
    /// The token is malformed.
    Token = "E_TOKEN", Denied, retry: false,
        cause: "The token breaks the format: segments, header, algorithm, required claims or duplicate keys; or it is for another host.",
        cure: "Sign it again, with `trellis sign` or `trellis par`; `trellis token create` makes bearer tokens.";
    /// The claims section is missing from its place, or is not the only one.
    Section = "E_SECTION", Denied, retry: false,
        cause: "A module must carry exactly one claims section, at top level, as its last section.",
        cure: "Sign the module after every other tool has run over it; signing replaces old sections.";
    /// The claims have expired.
    Expired = "E_EXPIRED", Denied, retry: false,
        cause: "The claims' `exp` time has passed.",
        cure: "Sign it again with a later expiry; check the host's clock.";
    /// The claims are not valid yet.
    NotYet = "E_NOT_YET", Denied, retry: false,
        cause: "The claims' `nbf` time is in the future.",
        cure: "Wait, or sign it again; check the host's clock.";
    /// The issuer is not trusted here.
    Issuer = "E_ISSUER", Denied, retry: false,
        cause: "The key that signed it is not in the host's trust list, or, of a bearer token, not among its users.",
        cure: "Add the issuer under `trust: {issuers: [...]}` if you trust it; `trellis inspect` and `trellis par inspect` show it.";
    /// The issuer or the module was revoked.
    Revoked = "E_REVOKED", Denied, retry: false,
        cause: "The trust list revokes this issuer, this module or this provider.",
        cure: "If it is not to run any more, take the actor and its bindings out of the manifest. To \
               run it again: if its issuer (A…) is revoked, take a module that another trusted \
               account signed; if its own key (M…) is, sign it for another one (`--subject`): what \
               was kept for the old key stays with that. To take a revocation back, remove the \
               key under `trust: {revoked: [...]}`.";
    /// A key is not a well-formed nkey.
    Key = "E_KEY", Invalid, retry: false,
        cause: "The text is not an nkey of the expected kind: length, alphabet, prefix or checksum is wrong.",
        cure: "Copy the whole key: `trellis keys list` shows yours, `trellis inspect FILE` those of a module.";
    /// A key file or its folder cannot be used as it is.
    Keystore = "E_KEYSTORE", Denied, retry: false,
        cause: "A key was not used: other users can read its file or folder, its name fits several \
                keys, or another key would be overwritten.",
        cure: "The message names the file and the command; keep seeds in files that only you can read (0600).";
    /// The module is older than the one that runs.
    Revision = "E_REVISION", Denied, retry: false,
        cause: "The module's revision is lower than that of the module it would replace.",
        cure: "Sign it again with a higher `--rev`; docs/releases.md says how to roll back. \
               `trellis verify FILE --replaces RUNNING` tells before.";
    /// The module has another actor key than this name had before.
    ActorKey = "E_ACTOR_KEY", Denied, retry: false,
        cause: "The module has another actor key than this name had before, so to a host it is another actor. \
                It cannot reach data that was kept for the old key.",
        cure: "Sign it with the old key (`--subject`, with `--force` if a module with another key is in the \
               way). If it is meant to be another actor, give it another `name`, or \
               start the host again with `--force`: a reload alone does not take the new key. \
               docs/teams.md says how a team shares keys.";
    /// Claims, binding or policy refuse the call.
    Denied = "E_DENIED", Denied, retry: false,
        cause: "The caller's claims, its bindings, its token or the policy do not allow this call.",
        cure: "The message names what is missing: sign the actor with the capability, or add the binding to the manifest.";
    /// Nothing has that name.
    NotFound = "E_NOT_FOUND", NotFound, retry: true,
        cause: "No running actor, provider or route has that name, or no file or key has it.",
        cure: "Check the name; start the actor or provider in the manifest, or build the file.";
    /// No instance became free in time, or a queue is full.
    Busy = "E_BUSY", Busy, retry: true,
        cause: "Every instance is in use and the queue is full, no instance or thread is free in time, \
                or the host has as much under way as it may; the message names the limit.",
        cure: "Retry later; raise the named limit if the host has room.";
    /// The host is shutting down or the actor is being removed.
    Stopping = "E_STOPPING", Busy, retry: true,
        cause: "The host or the actor is stopping and takes no new calls.",
        cure: "Retry on another host, or when the new version runs.";
    /// It failed again and again, and is left alone for a while.
    CrashLoop = "E_CRASH_LOOP", Busy, retry: true,
        cause: "The actor breaks whenever an instance of it starts, or the program of the provider \
                ends again and again. So it is left alone: first for a few seconds (back-off), at \
                last so that it is only tried once a minute (quarantine). The message says why it \
                failed and when it is tried next.",
        cure: "Read its log and mend it: a changed module or program is taken in by the next reload, \
               and begins without a record. What it fails without, such as a server, is found by \
               the next try. `/readyz` and the log name it.";
    /// The deadline passed.
    Timeout = "E_TIMEOUT", Deadline, retry: false,
        cause: "The call did not finish before its deadline: that of its caller, or the `call_time` of the actor.",
        cure: "Look for a loop or a slow provider; raise `call_time`, or the caller's `--timeout`, if the work really takes that long.";
    /// The actor answered with an error.
    Guest = "E_GUEST", Guest, retry: false,
        cause: "The actor handled the call and answered with an error of its own.",
        cure: "The message is the actor's; read its log. If it begins with a code, that is what the actor was told \
               when it asked for something: `trellis explain CODE` says more.";
    /// The actor trapped.
    Trap = "E_TRAP", Guest, retry: false,
        cause: "The actor trapped: unreachable code, a division by zero, an out-of-bounds access.",
        cure: "This is a bug in the actor; `trellis call FILE OPERATION --trace` replays one call.";
    /// The actor ran out of stack.
    Stack = "E_STACK", Guest, retry: false,
        cause: "The actor recursed deeper than its stack allows.",
        cure: "Bound the recursion in the actor.";
    /// The actor asked for more memory than it may have.
    Memory = "E_MEMORY", Guest, retry: false,
        cause: "The actor asked for more memory or table space than its limit allows.",
        cure: "Use less memory, or raise the limit that the message names: `limits.memory` or `limits.table_elements` \
               in the manifest.";
    /// The actor gave the host a bad pointer.
    GuestPointer = "E_GUEST_POINTER", Guest, retry: false,
        cause: "The actor gave the host a pointer and a length that reach outside its memory.",
        cure: "This is a bug in the actor or its guest SDK.";
    /// Another version of an actor does not answer what the one before did.
    Replay = "E_REPLAY", Guest, retry: false,
        cause: "Calls of the actor are kept (`limits.replay_calls`), and the new version fails on some that the \
                version before answered, or does not answer them in time. It does not take over.",
        cure: "Mend what the message names. If the failure is meant, update with `--replay 0` or `--force`, or \
               leave `replay_calls` out of the manifest.";
    /// A name is too long or not printable text.
    BadName = "E_BAD_NAME", Invalid, retry: false,
        cause: "A binding, namespace or operation name is too long, not UTF-8, or contains control characters.",
        cure: "Use printable names of at most 256 bytes, or what `limits.name_bytes` of the actor says.";
    /// A payload is too large.
    TooLarge = "E_TOO_LARGE", Invalid, retry: false,
        cause: "A message is larger than `payload_bytes_max`, or an operation is over a limit of its provider; the message names the limit.",
        cure: "Send or ask for less at once, or raise the named limit (`limits.payload_bytes` in the manifest).";
    /// The actor used up its budget of host calls.
    Quota = "E_QUOTA", Guest, retry: false,
        cause: "The actor made more host calls than are allowed in one call.",
        cure: "Batch the calls; raise `limits.host_calls_per_call` in the manifest if the work is legitimate.";
    /// Calls are nested too deep.
    Depth = "E_DEPTH", Guest, retry: false,
        cause: "Actors called actors deeper than `call_depth_max`, usually in a cycle.",
        cure: "Break the cycle; raise `limits.call_depth` in the manifest if there is none.";
    /// A message cannot be decoded.
    Message = "E_MESSAGE", Invalid, retry: false,
        cause: "A request or a reply does not have the form that its contract defines.",
        cure: "Compare the message with the contract; build the actor with this version of the contract.";
    /// The stored value is not of the kind that the operation needs.
    WrongType = "E_WRONG_TYPE", Invalid, retry: false,
        cause: "The key holds a value of another kind (string, counter, list, set) than the operation works on.",
        cure: "Use another key, or delete this one first; the message names the key.";
    /// A number would leave the range that its contract defines.
    Range = "E_RANGE", Invalid, retry: false,
        cause: "A counter or a count would exceed the range of its type; nothing was changed.",
        cure: "Reset the counter, or use several.";
    /// The provider failed.
    Provider = "E_PROVIDER", Provider, retry: false,
        cause: "The provider or the server behind it failed or may not run, or something that an actor needs is busy \
                or stopping; the message says which.",
        cure: "Check the server and the binding's values; the host keeps trying to reconnect. When the message ends \
               with another code, that is why the provider does not run: `trellis explain CODE`.";
    /// No host answers.
    NoHost = "E_NO_HOST", Lattice, retry: false,
        cause: "No host of this user runs, or the one that was asked does not answer; the message says which.",
        cure: "Start one with `host --manifest FILE`, as the same user; `trellis get hosts` lists those that answer.";
    /// Storage failed.
    Storage = "E_STORAGE", Provider, retry: false,
        cause: "A file could not be read or written: the message says whether it is in use, may not be used, is \
                damaged, or the disk is full, read-only or silent.",
        cure: "Do what the message says about the file: stop the program that uses it, correct its path or \
               permissions, restore it, or make room on its disk. Nothing half-written is visible.";
    /// A value in a binding or a provider's configuration is wrong.
    Config = "E_CONFIG", Invalid, retry: false,
        cause: "A configuration value is unknown, missing or malformed; the message names it.",
        cure: "Correct the value in the manifest; docs/manifest.md lists each provider's values.";
    /// The host cannot listen on an address.
    Address = "E_ADDRESS", Provider, retry: false,
        cause: "The port or address is in use or not allowed.",
        cure: "Stop the program that uses the port, choose another `PORT` in the binding, or bind all actors of the address to one http-server; the admin address is `--admin` or `host: {admin}`.";
    /// A reference names no image, or what it names holds no module.
    Image = "E_IMAGE", Invalid, retry: false,
        cause: "A reference to an image in a registry is malformed, or the image holds something else than the one module or \
                archive that is wanted.",
        cure: "Write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST; the message says what was found instead. \
               docs/registry.md has the rules.";
    /// A registry cannot be reached, or answers what it should not.
    Registry = "E_REGISTRY", Provider, retry: true,
        cause: "A registry did not answer in time, failed, or answered against its protocol; the message says which.",
        cure: "Check the registry's name, that it runs, and whether it speaks HTTPS: plain HTTP is spoken only when asked \
               for, by `registries: {HOST: {insecure: true}}` in the manifest or by `--plain-http`.";
    /// Content has another digest than it was asked for by.
    Digest = "E_DIGEST", Denied, retry: false,
        cause: "A registry sent, or the cache holds, other bytes than those of the digest they were asked for by. Nothing of \
                what a registry sent like that is kept.",
        cure: "Do not run it. Ask whoever keeps the registry, and whoever pushed the image for its digest.";
    /// A registry wants credentials, or refuses those it was given.
    Credentials = "E_CREDENTIALS", Denied, retry: false,
        cause: "The registry wants a user who may do this: there are no credentials for it, or it refuses them, or the \
                file or program that keeps them cannot be used.",
        cure: "Log in: `trellis login REGISTRY --username NAME --password-stdin`; ask for the right to the repository.";
    /// Somebody else changed it first.
    Conflict = "E_CONFLICT", Invalid, retry: false,
        cause: "What is wanted is not at the revision any more that the change was made for: somebody else, or the manifest, was first. Nothing was done.",
        cure: "The message says what changed; ask again if you still want your change (`trellis history` shows more).";
    /// What a store keeps was not moved to another one.
    Data = "E_DATA", Invalid, retry: false,
        cause: "What a store keeps could not be copied to the one that was to follow: the other one \
                holds something already, one of the two has no way to do that, both are the same \
                or have keys in common, or it was more than the bounds allow. The store from \
                before goes on with all it had. Or a key that was to be put into a store is there \
                already.",
        cure: "The message says which. `--data replace` throws away what the other one holds; \
               without `--data` the data stay where they are. `trellis kv import --replace` \
               writes over keys.";
    /// The manifest is wrong.
    Manifest = "E_MANIFEST", Invalid, retry: false,
        cause: "The manifest has errors; each is shown with file, line and column.",
        cure: "Correct them; `host --manifest FILE --check` shows them all at once and starts nothing.";
    /// The host itself failed.
    Internal = "E_INTERNAL", Provider, retry: false,
        cause: "The host reached a state that it did not expect.",
        cure: "Please report it, with the log lines around it.";
}

impl Code {
    /// The code with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_parse_back() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(!code.cause().is_empty() && !code.cure().is_empty());
        }
        assert_eq!(Code::parse("E_NOTHING"), None);
    }
}
