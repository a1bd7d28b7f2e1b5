//! References to images: no panic, and what is read is within its limits and is read again from
//! what it is written as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_artifacts::{Image, is_like_an_image, is_registry};

fuzz_target!(|text: &str| {
    let _ = is_like_an_image(text);
    let Ok(image) = Image::parse(text) else { return };
    assert!(is_registry(image.registry()));
    assert!((1..=255).contains(&image.name().len()) && !image.short_name().is_empty());
    assert!(image.tag().is_some() || image.digest().is_some());
    assert!(image.tag().is_none_or(|tag| (1..=128).contains(&tag.len())));
    let written = image.to_string();
    assert!(!written.contains(char::is_whitespace) && !written.contains(char::is_control));
    assert_eq!(Image::parse(&written).as_ref(), Ok(&image), "{written}");
});
