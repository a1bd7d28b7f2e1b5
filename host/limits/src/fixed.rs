//! Bounds that no manifest changes: far above what compilers write, far below what hurts.

use trellis_core::Code;

use crate::followed;
use crate::limit::{Limit, row};

/// Types of a module.
pub const MODULE_TYPES: Limit = of_module("module_types_max", 65_536, "types");
/// Imports of a module.
pub const MODULE_IMPORTS: Limit = of_module("module_imports_max", 1_000, "imports");
/// Exports of a module.
pub const MODULE_EXPORTS: Limit = of_module("module_exports_max", 20_000, "exports");
/// Globals of a module.
pub const MODULE_GLOBALS: Limit = of_module("module_globals_max", 50_000, "globals");
/// Data segments of a module, and as many element segments.
pub const MODULE_SEGMENTS: Limit = of_module("module_segments_max", 50_000, "segments");
/// Blocks within one another. Compilers nest one block per arm of a `br_table`.
pub const MODULE_NESTING: Limit = of_module("module_nesting_max", 20_000, "nested blocks");
/// Memories of a module.
pub const MODULE_MEMORIES: Limit = of_module("module_memories_max", 1, "memories");
/// Tables of a module.
pub const MODULE_TABLES: Limit = of_module("module_tables_max", 1, "tables");
/// Subscriptions of one WASI `poll_oneoff`; the host holds several hundred bytes for each.
pub const WASI_POLL: Limit = row(
    ("wasi_poll_max", "-"),
    (1_000, "subscriptions"),
    None,
    "`poll_oneoff` answers `inval` before anything is allocated",
);

/// Calls that wait for a provider whose successor cannot stand beside it; each holds a request.
pub const HELD_CALLS: Limit = row(
    ("held_calls_max", "-"),
    (1_024, "calls to one provider"),
    Some(Code::Busy),
    "the call is refused",
);

/// Files that are read and do not answer; each takes a thread.
pub const FILES_HUNG: Limit = row(
    ("files_hung_max", "-"),
    (256, "files that do not answer"),
    Some(Code::Storage),
    "no further file is read",
);

/// Connections to an admin socket or address at once.
pub const ADMIN_CONNECTIONS: Limit = row(
    ("admin_connections_max", "-"),
    (64, "connections"),
    None,
    "the oldest that waits for its client is closed",
);

/// How long a connection to an admin socket or address waits for its client, who is to send its
/// request or to take what is written.
pub const ADMIN_CLIENT: Limit = row(
    ("admin_client_ms_max", "-"),
    (10_000, "ms"),
    None,
    "the connection is closed and counted; a stream gives its place back",
);
/// Calls of actors at once over the admin socket.
pub const ADMIN_CALLS: Limit =
    row(("admin_calls_max", "-"), (16, "calls"), Some(Code::Busy), "the call is refused");

/// Those of one user with tokens. The host's own user has no share: its socket is its own.
pub const ADMIN_CALLS_OF_USER: Limit =
    row(("admin_calls_of_user_max", "-"), (8, "calls"), Some(Code::Busy), "the call is refused");
/// Calls that are kept for tokens for `admin`, and as many again for the host's user.
pub const ADMIN_CALLS_KEPT: Limit = row(
    ("admin_calls_kept", "-"),
    (2, "calls"),
    Some(Code::Busy),
    "the call of who may do less is refused",
);
/// Body of a request over the admin socket.
pub const ADMIN_BODY: Limit = row(
    ("admin_body_bytes_max", "-"),
    (17 << 20, "bytes"),
    Some(Code::TooLarge),
    "refused before it is read further",
);

/// Values of a message that becomes JSON, or was it: each takes tens of bytes on the way.
pub const MESSAGE_VALUES: Limit = row(
    ("message_values_max", "-"),
    (500_000, "values, keys included"),
    Some(Code::TooLarge),
    "the message is refused; without JSON it may have as many as fit",
);
/// Bearer token on the admin address.
pub const ADMIN_TOKEN: Limit = row(
    ("admin_token_bytes_max", "-"),
    (4 << 10, "bytes"),
    Some(Code::Token),
    "refused before it is read",
);
/// Life of a bearer token, from when it was signed.
pub const ADMIN_TOKEN_LIFE: Limit = row(
    ("admin_token_life_max", "-"),
    (24 * 60 * 60 * 1_000, "ms"),
    Some(Code::Token),
    "the token is refused",
);
/// Log lines of refused requests on the admin address.
pub const ADMIN_AUDIT_LINES: Limit = row(
    ("admin_audit_lines_per_s", "-"),
    (10, "lines"),
    None,
    "further lines are dropped and counted; the next line says how many",
);
/// Body of an edit. It is looked at where everything else is decided, and a large one would hold
/// that up.
pub const EDIT_BYTES: Limit = row(
    ("edit_bytes_max", "-"),
    (64 << 10, "bytes"),
    Some(Code::TooLarge),
    "refused before it is read further",
);
/// Edits that wait for one that is being made.
pub const EDITS_WAITING: Limit =
    row(("edits_waiting_max", "-"), (16, "edits"), Some(Code::Busy), "the edit is refused");
/// Actors, providers and bindings that edits add or change: a manifest is bounded by its size.
pub const EDIT_ENTRIES: Limit = row(
    ("edit_entries_max", "-"),
    (1_000, "entries"),
    Some(Code::Busy),
    "the edit is refused; what a manifest says does not count",
);
/// Names and values of edits that are in force together, of which each is kept as it was asked for.
pub const EDIT_VALUES: Limit = row(
    ("edit_values_bytes_max", "-"),
    (1 << 20, "bytes"),
    Some(Code::Busy),
    "the edit is refused; what a manifest says does not count",
);
/// From when an edit is asked for until it is prepared: what it names may be slow to read or to
/// fetch.
pub const EDIT_TIME: Limit = row(
    ("edit_time_max", "-"),
    (120_000, "ms"),
    Some(Code::Timeout),
    "the edit is not made; what goes back needs none of that",
);
/// Changes of what is wanted that `trellis history` shows. What is under way stays besides, one for
/// each actor and provider, and for as many changes after its end.
pub const HISTORY: Limit = row(
    ("history_max", "-"),
    (20, "changes"),
    None,
    "the oldest is forgotten that is not under way",
);
/// Calls for which an edit is watched, unless it says otherwise.
pub const WATCH_CALLS: Limit =
    row(("watch_calls_max", "-"), (100, "calls"), None, "the edit stays");
/// Longest time for which an edit is watched, unless it says otherwise.
pub const WATCH_TIME: Limit =
    row(("watch_time_ms_max", "-"), (10_000, "ms"), None, "the edit stays");
/// Calls of a hundred that may fail while an edit is watched, unless it says otherwise.
pub const WATCH_ERRORS: Limit = row(
    ("watch_errors_max", "-"),
    (50, "calls of a hundred"),
    None,
    "the edit is taken back, if more fail than before it, and at least five calls ended",
);
/// What a provider keeps and may be moved to its successor, while its calls wait: of keys and what
/// they hold.
pub const DATA_MOVE_BYTES: Limit = row(
    ("data_move_bytes_max", "-"),
    (1 << 30, "bytes"),
    Some(Code::Data),
    "nothing is moved, and the provider is not replaced",
);
/// Longest time for that, in which the calls of the provider wait.
pub const DATA_MOVE_TIME: Limit = row(
    ("data_move_time_ms_max", "-"),
    (30_000, "ms"),
    Some(Code::Data),
    "nothing is moved, and the provider is not replaced",
);

/// The file of a provider archive.
pub const ARCHIVE_BYTES: Limit =
    of_archive("archive_bytes_max", 256 << 20, "bytes", "refused before it is read");
/// The token in a provider archive.
pub const ARCHIVE_TOKEN_BYTES: Limit =
    of_archive("archive_token_bytes_max", 64 << 10, "bytes", "refused before it is unpacked");
/// One program in a provider archive.
pub const ARCHIVE_PROGRAM_BYTES: Limit =
    of_archive("archive_program_bytes_max", 256 << 20, "bytes", "refused before it is unpacked");
/// All that a provider archive unpacks to.
pub const ARCHIVE_UNPACKED_BYTES: Limit =
    of_archive("archive_unpacked_bytes_max", 1 << 30, "bytes", "unpacking ends there");
/// How many times its own size a compressed provider archive unpacks to; the first MiB is free.
pub const ARCHIVE_RATIO: Limit =
    of_archive("archive_ratio_max", 100, "times its size", "unpacking ends there");
/// The programs in a provider archive.
pub const ARCHIVE_PROGRAMS: Limit =
    of_archive("archive_programs_max", 32, "programs", "refused before the next is unpacked");
/// The programs of archives that are kept unpacked in one cache folder.
pub const PROGRAM_CACHE_BYTES: Limit = row(
    ("program_cache_bytes_max", "-"),
    (4 << 30, "bytes"),
    None,
    "those that no host has and that were not wanted for longest are removed",
);

/// Restarts at once, within five seconds, of a program or of an actor's instances. Then come
/// back-offs, and then quarantine.
pub const RESTARTS: Limit = row(
    ("restarts_max", "-"),
    (3, "restarts in 5 s"),
    Some(Code::CrashLoop),
    "it is left alone for a back-off: 1 s, and each time twice as long",
);
/// The longest back-off, and the time between two tries in quarantine.
pub const BACKOFF: Limit = row(
    ("backoff_ms_max", "-"),
    (60_000, "ms"),
    Some(Code::CrashLoop),
    "back-offs grow no further; in quarantine it is the time between two tries",
);
/// A manifest of an image, or another answer of a registry that is read whole.
pub const REGISTRY_ANSWER: Limit = row(
    ("registry_answer_bytes_max", "-"),
    (4 << 20, "bytes"),
    Some(Code::Registry),
    "the answer is not read any further, and the image is not fetched",
);
/// A registry that says nothing: until it is connected, answers, or sends more of an answer.
pub const REGISTRY_SILENCE: Limit = row(
    ("registry_silence_max", "-"),
    (10_000, "ms"),
    Some(Code::Registry),
    "the registry counts as down; a tag that was resolved before keeps its digest",
);
/// All it takes to fetch or push one image, however fast the registry goes on.
pub const REGISTRY_TIME: Limit = row(
    ("registry_time_max", "-"),
    (300_000, "ms"),
    Some(Code::Registry),
    "the image is not fetched",
);
/// Redirects that are followed for one answer.
pub const REGISTRY_REDIRECTS: Limit = row(
    ("registry_redirects_max", "-"),
    (5, "redirects"),
    Some(Code::Registry),
    "the answer is not fetched",
);
/// Images that are fetched from one registry at once; others wait.
pub const REGISTRY_FETCHES: Limit = row(
    ("registry_fetches_max", "-"),
    (4, "images of one registry"),
    None,
    "further images of that registry wait, those of others do not",
);
/// What a program that keeps credentials may take to answer.
pub const CREDENTIAL_HELPER: Limit = row(
    ("credential_helper_time_max", "-"),
    (10_000, "ms"),
    Some(Code::Credentials),
    "the program is ended, and the registry is not asked",
);
/// What another version of an actor may take to answer the calls that were kept.
pub const REPLAY_TIME: Limit = row(
    ("replay_time_ms_max", "-"),
    (30_000, "ms"),
    Some(Code::Replay),
    "the version does not take over",
);
/// Images in the cache folder.
pub const IMAGE_CACHE: Limit = row(
    ("image_cache_bytes_max", "-"),
    (4 << 30, "bytes"),
    None,
    "those that were used last the longest ago, and that no running host uses, are removed",
);
/// Spans that wait to be sent; each takes up to some kilobytes. `OTEL_BSP_MAX_QUEUE_SIZE` sets it.
pub const TELEMETRY_SPANS: Limit = row(
    ("telemetry_spans_max", "-"),
    (2_048, "spans"),
    None,
    "further spans are dropped and counted; calls do not notice",
)
.between(1, 65_536);
/// Spans in one request to a receiver. `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` sets it.
pub const TELEMETRY_BATCH: Limit = row(
    ("telemetry_batch_max", "-"),
    (512, "spans"),
    None,
    "the request is sent, and another one after it",
)
.between(1, 4_096);
/// A name, a value or a sentence in a span: clients and guests choose some of them.
pub const TELEMETRY_TEXT: Limit =
    row(("telemetry_text_bytes_max", "-"), (1 << 10, "bytes"), None, "the rest is cut off");
/// One request to a receiver of telemetry. `OTEL_EXPORTER_OTLP_TIMEOUT` sets it.
pub const TELEMETRY_SEND: Limit = row(
    ("telemetry_send_ms_max", "-"),
    (10_000, "ms"),
    None,
    "the request failed; spans are sent again, up to five times in all",
);
/// How long a host that stops waits for its last telemetry to be received.
pub const TELEMETRY_FLUSH: Limit = row(
    ("telemetry_flush_ms_max", "-"),
    (5_000, "ms"),
    None,
    "the host stops without it, and says so",
);

/// All of them.
pub const TABLE: &[Limit] = &[
    MODULE_TYPES,
    MODULE_IMPORTS,
    MODULE_EXPORTS,
    MODULE_GLOBALS,
    MODULE_SEGMENTS,
    MODULE_NESTING,
    MODULE_MEMORIES,
    MODULE_TABLES,
    WASI_POLL,
    HELD_CALLS,
    FILES_HUNG,
    ADMIN_CONNECTIONS,
    ADMIN_CLIENT,
    ADMIN_CALLS,
    ADMIN_CALLS_OF_USER,
    ADMIN_CALLS_KEPT,
    ADMIN_BODY,
    MESSAGE_VALUES,
    ADMIN_TOKEN,
    ADMIN_TOKEN_LIFE,
    ADMIN_AUDIT_LINES,
    EDIT_BYTES,
    EDITS_WAITING,
    EDIT_ENTRIES,
    EDIT_VALUES,
    EDIT_TIME,
    HISTORY,
    WATCH_CALLS,
    WATCH_TIME,
    WATCH_ERRORS,
    followed::STREAMS,
    followed::STREAMS_OF_USER,
    followed::STREAMS_KEPT,
    followed::EVENTS_KEPT,
    followed::EVENTS_KEPT_BYTES,
    followed::LOG_KEPT_BYTES,
    followed::SPY_KEPT_BYTES,
    followed::SPY_PAYLOAD,
    followed::DECISIONS_KEPT,
    DATA_MOVE_BYTES,
    DATA_MOVE_TIME,
    ARCHIVE_BYTES,
    ARCHIVE_TOKEN_BYTES,
    ARCHIVE_PROGRAM_BYTES,
    ARCHIVE_UNPACKED_BYTES,
    ARCHIVE_RATIO,
    ARCHIVE_PROGRAMS,
    PROGRAM_CACHE_BYTES,
    RESTARTS,
    BACKOFF,
    REGISTRY_ANSWER,
    REGISTRY_SILENCE,
    REGISTRY_TIME,
    REGISTRY_REDIRECTS,
    REGISTRY_FETCHES,
    CREDENTIAL_HELPER,
    REPLAY_TIME,
    IMAGE_CACHE,
    TELEMETRY_SPANS,
    TELEMETRY_BATCH,
    TELEMETRY_TEXT,
    TELEMETRY_SEND,
    TELEMETRY_FLUSH,
];

const fn of_archive(name: &'static str, max: u64, unit: &'static str, hit: &'static str) -> Limit {
    row((name, "-"), (max, unit), Some(Code::Archive), hit)
}

const fn of_module(name: &'static str, max: u64, unit: &'static str) -> Limit {
    row((name, "-"), (max, unit), Some(Code::ModuleLimit), "refused before compiling")
}
