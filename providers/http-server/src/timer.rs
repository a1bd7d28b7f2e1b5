//! How long a connection may do what it is doing.
//!
//! A timer of the runtime per request would cost more than parsing the request. Instead each
//! connection notes what it is doing and since when, and the listener that accepted it checks all
//! its connections a few times a second ([`ConnectionTimer::check`]).

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::config::limits::PortLimits;
use crate::framing::Framing;
use crate::pace::Pace;

/// What one connection is doing and since when, and whether its time is up.
#[derive(Debug)]
pub(crate) struct ConnectionTimer {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// The body being received, since its phase began.
    receiving: Cell<Pace>,
    /// The answer that the client is slow to take.
    sending: Cell<Option<Pace>>,
    /// True from when an answer was handed to hyper until all of it has left.
    answering: Cell<bool>,
    framing: RefCell<Framing>,
    /// Requests whose service began.
    requests: Cell<u64>,
    /// Requests whose answer was handed to hyper.
    answered: Cell<u64>,
    /// True once the client has ended its own direction while it waits for an answer.
    half_closed: Cell<bool>,
    draining: Cell<Option<Drain>>,
    expired: Cell<Option<Expiry>>,
    waker: RefCell<Option<Waker>>,
}

/// Why a connection takes no more requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drain {
    /// Its port is being closed.
    Close,
    /// Its port was handed over, and the connection follows between two requests.
    HandOver,
}

/// What the connection waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The first byte of a request.
    Request,
    /// The rest of a header.
    Head,
    /// More of a body.
    Body,
    /// The actor, until then.
    Actor(Instant),
    /// Nothing: the service is at work without waiting.
    Nothing,
}

/// Why a connection's time is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expiry {
    /// No request came.
    Idle,
    /// The header came too slowly.
    Head,
    /// The body came too slowly.
    Body,
    /// The actor took too long.
    Actor,
    /// The client took the answer too slowly.
    Sending,
}

/// How long a fresh connection may wait with its first request while its port is being closed.
const FIRST_REQUEST_WHILE_DRAINING: Duration = Duration::from_millis(500);

impl ConnectionTimer {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            phase: Cell::new(Phase::Request),
            since: Cell::new(now),
            receiving: Cell::new(Pace::new(now)),
            sending: Cell::new(None),
            answering: Cell::new(false),
            framing: RefCell::new(Framing::new()),
            requests: Cell::new(0),
            answered: Cell::new(0),
            half_closed: Cell::new(false),
            draining: Cell::new(None),
            expired: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    // --- what the stream reports ---------------------------------------------------------------

    /// Bytes arrived.
    pub(crate) fn received(&self, bytes: &[u8]) {
        let mut framing = self.framing.borrow_mut();
        framing.feed(bytes);
        match self.phase.get() {
            Phase::Request if framing.inside_head() => self.enter(Phase::Head, Instant::now()),
            Phase::Body => self.receiving.set(self.receiving.get().moved(bytes.len())),
            _ => {}
        }
    }

    /// The client has ended its own direction. True when it still waits for an answer, so that the
    /// end must not be told to hyper yet, which would drop the request.
    pub(crate) fn ends(&self) -> bool {
        let spared = self.owes_answer()
            && self.phase.get() != Phase::Body
            && !self.framing.borrow().inside_request();
        self.half_closed.set(spared);
        spared
    }

    /// The client's window is full.
    pub(crate) fn send_blocked(&self) {
        if self.sending.get().is_none() {
            self.sending.set(Some(Pace::new(Instant::now())));
        }
    }

    /// Bytes of an answer left.
    pub(crate) fn sent(&self, bytes: usize) {
        if let Some(sending) = self.sending.get() {
            self.sending.set(Some(sending.moved(bytes)));
        }
    }

    /// Everything that was to be sent has left.
    pub(crate) fn all_sent(&self) {
        self.sending.set(None);
        self.answering.set(false);
        if self.half_closed.get() && !self.owes_answer() {
            // Nothing else would tell hyper of the end that was kept from it.
            self.wake();
        }
    }

    /// True when bytes that hyper writes belong to no request: it refuses what it cannot parse.
    pub(crate) fn writes_unasked(&self) -> bool {
        !self.answering.get() && matches!(self.phase.get(), Phase::Request | Phase::Head)
    }

    // --- what the service reports --------------------------------------------------------------

    /// A request's header is complete. False when its framing, or that of one before it,
    /// contradicts itself.
    pub(crate) fn request_begins(&self) -> bool {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        self.enter(Phase::Nothing, self.since.get());
        !self.framing.borrow().suspects(number)
    }

    /// The service waits for the body.
    pub(crate) fn body_begins(&self) {
        let now = Instant::now();
        self.receiving.set(Pace::new(now));
        self.enter(Phase::Body, now);
    }

    /// The service waits for the actor.
    pub(crate) fn actor_begins(&self, deadline: Instant) {
        self.enter(Phase::Actor(deadline), self.since.get());
    }

    /// The answer was handed to hyper.
    pub(crate) fn request_ends(&self, now: Instant) {
        self.answering.set(true);
        self.answered.set(self.requests.get());
        let next = if self.framing.borrow().inside_head() { Phase::Head } else { Phase::Request };
        self.enter(next, now);
    }

    /// True when what the service waits for is overdue, so that it should answer so.
    pub(crate) fn overdue_for_service(&self) -> bool {
        matches!(self.expired.get(), Some(Expiry::Body | Expiry::Actor))
    }

    // --- what the connection asks --------------------------------------------------------------

    /// Why the connection must be cut now.
    pub(crate) fn cut(&self) -> Option<Expiry> {
        let cuts = |expiry: &Expiry| !matches!(expiry, Expiry::Body | Expiry::Actor);
        self.expired.get().filter(cuts)
    }

    /// Starts over after an idle connection was found to have a request waiting.
    pub(crate) fn forgive(&self) {
        self.enter(Phase::Request, Instant::now());
    }

    pub(crate) fn draining(&self) -> Option<Drain> {
        self.draining.get()
    }

    /// Remembers whom to wake.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    // --- what the listener does ----------------------------------------------------------------

    /// Finish what is under way, take nothing more.
    pub(crate) fn drain(&self, how: Drain) {
        self.draining.set(Some(how));
        self.wake();
    }

    /// Wakes the connection when its time is up.
    pub(crate) fn check(&self, now: Instant, limits: &PortLimits) {
        if self.expired.get().is_some() {
            return;
        }
        if let Some(expiry) = self.overdue(now, limits) {
            self.expired.set(Some(expiry));
            self.wake();
        }
    }

    fn overdue(&self, now: Instant, limits: &PortLimits) -> Option<Expiry> {
        let waited = now.saturating_duration_since(self.since.get());
        if let Some(sending) = self.sending.get() {
            let sending = sending.seen(now, limits.transfer_rate_min);
            self.sending.set(Some(sending));
            if sending.is_overdue(now, limits.transfer_grace) {
                return Some(Expiry::Sending);
            }
        }
        match self.phase.get() {
            Phase::Request => {
                let most = match (self.draining.get(), self.requests.get()) {
                    (None, _) => limits.idle_time_max,
                    (Some(Drain::Close), 0) => FIRST_REQUEST_WHILE_DRAINING,
                    (Some(_), _) => Duration::ZERO,
                };
                // What is still being sent is not idle.
                (waited > most && self.sending.get().is_none()).then_some(Expiry::Idle)
            }
            Phase::Head => (waited > limits.header_time_max).then_some(Expiry::Head),
            Phase::Body => {
                let receiving = self.receiving.get().seen(now, limits.transfer_rate_min);
                self.receiving.set(receiving);
                receiving.is_overdue(now, limits.transfer_grace).then_some(Expiry::Body)
            }
            Phase::Actor(deadline) => (now > deadline).then_some(Expiry::Actor),
            Phase::Nothing => None,
        }
    }

    /// True while a request whose header is complete has no answer.
    fn owes_answer(&self) -> bool {
        self.framing.borrow().heads() > self.answered.get()
    }

    fn enter(&self, phase: Phase, now: Instant) {
        self.phase.set(phase);
        self.since.set(now);
        // What was overdue arrived after all, just in time.
        if self.expired.get() != Some(Expiry::Sending) {
            self.expired.set(None);
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// How often to look, so that no limit is overstepped by more than a quarter or 250 ms.
pub(crate) fn period(limits: &PortLimits) -> Duration {
    let shortest = limits.header_time_max.min(limits.transfer_grace).min(limits.idle_time_max) / 4;
    shortest.clamp(Duration::from_millis(5), Duration::from_millis(250))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn limits() -> PortLimits {
        Config::read(&trellis_providers_sdk::Values::default()).expect("defaults").port
    }

    /// What `timer` would be cut for, this many seconds from now, looked at each second.
    fn after(timer: &ConnectionTimer, seconds: u64) -> Option<Expiry> {
        timer.overdue(Instant::now() + Duration::from_secs(seconds), &limits())
    }

    #[test]
    fn each_phase_has_its_time() {
        let timer = ConnectionTimer::new(Instant::now());
        assert_eq!((after(&timer, 59), after(&timer, 61)), (None, Some(Expiry::Idle)));
        timer.received(b"POST / HTTP/1.1\r\n");
        assert_eq!((after(&timer, 4), after(&timer, 6)), (None, Some(Expiry::Head)));
        timer.received(b"Content-Length: 9000\r\n\r\n");
        assert!(timer.request_begins());
        assert_eq!(after(&timer, 9_999), None);
        timer.body_begins();
        assert_eq!((after(&timer, 4), after(&timer, 6)), (None, Some(Expiry::Body)));
        timer.received(&[b'x'; 4 << 10]);
        assert_eq!((after(&timer, 6), after(&timer, 10)), (None, Some(Expiry::Body)));
        timer.actor_begins(Instant::now() + Duration::from_secs(30));
        assert_eq!((after(&timer, 29), after(&timer, 31)), (None, Some(Expiry::Actor)));
        timer.request_ends(Instant::now());
        assert_eq!((after(&timer, 59), after(&timer, 61)), (None, Some(Expiry::Idle)));
    }

    #[test]
    fn a_client_that_takes_nothing_is_cut_however_fast_it_was_before() {
        let timer = ConnectionTimer::new(Instant::now());
        timer.send_blocked();
        timer.sent(100 << 20);
        assert_eq!((after(&timer, 4), after(&timer, 10)), (None, Some(Expiry::Sending)));
        timer.all_sent();
        assert_eq!(after(&timer, 10), None);
    }

    #[test]
    fn draining_spares_only_a_first_request() {
        let fresh = ConnectionTimer::new(Instant::now());
        fresh.drain(Drain::Close);
        assert_eq!((after(&fresh, 0), after(&fresh, 1)), (None, Some(Expiry::Idle)));
        let used = ConnectionTimer::new(Instant::now());
        used.request_begins();
        used.request_ends(Instant::now());
        used.drain(Drain::Close);
        assert_eq!(after(&used, 1), Some(Expiry::Idle));
    }

    #[test]
    fn a_client_that_waits_for_its_answer_may_end_its_direction() {
        let timer = ConnectionTimer::new(Instant::now());
        assert!(!timer.ends(), "nothing was asked");
        timer.received(b"GET / HTTP/1.1\r\n\r\n");
        assert!(timer.ends(), "the service has not begun yet");
        timer.request_begins();
        assert!(timer.ends());
        timer.request_ends(Instant::now());
        assert!(!timer.ends(), "it was answered");
        timer.received(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
        assert!(!timer.ends(), "the body is incomplete");
    }

    #[test]
    fn only_what_no_request_asked_for_is_unasked() {
        let timer = ConnectionTimer::new(Instant::now());
        assert!(timer.writes_unasked());
        timer.received(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
        timer.request_begins();
        timer.body_begins();
        assert!(!timer.writes_unasked(), "100 Continue");
        timer.request_ends(Instant::now());
        assert!(!timer.writes_unasked(), "the answer");
        timer.all_sent();
        assert!(timer.writes_unasked());
    }
}
