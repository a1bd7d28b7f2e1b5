//! A coarse clock that one thread reads for all. In a process of its own: it is one for a process.

use std::time::{Duration, Instant};

use trellis_meters::Coarse;

#[test]
fn a_published_reading_holds_until_the_next_or_until_nobody_publishes_any() {
    Coarse::publish();
    let published = Coarse::now().tick();
    let later = Instant::now() + Duration::from_millis(30);
    while Instant::now() < later {
        assert_eq!(Coarse::now().tick(), published, "nobody else reads the clock");
    }
    Coarse::publish();
    let next = Coarse::now();
    assert_ne!(next.tick(), published);
    assert!(Instant::now() - next.instant() < Duration::from_millis(20), "it is of now");
    Coarse::retire();
    let retired = Coarse::now().tick();
    while Coarse::now().tick() == retired {
        std::hint::spin_loop();
    }
}
