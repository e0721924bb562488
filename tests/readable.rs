//! The picture and the player are readable in light and in dark: text has a contrast of at least 4.5
//! to 1 to what it stands on, and marks at least 3 to 1 (Web Content Accessibility Guidelines 2.2,
//! criteria 1.4.3 and 1.4.11).

mod common;

use std::collections::HashMap;

use common::recorded;
use watchglass::Executor;

/// The colours by name, of the light scheme and of the dark one.
fn schemes(style: &str) -> [HashMap<String, [f64; 3]>; 2] {
    let colours = |part: &str| {
        let named = part.split("--").filter_map(|entry| entry.split_once(':'));
        let named =
            named.filter_map(|(name, value)| Some((name.to_owned(), colour(value.trim())?)));
        named.collect::<HashMap<_, _>>()
    };
    let (light, rest) = style.split_once("@media").unwrap();
    let (dark, _) = rest.split_once("}").unwrap();
    assert!(dark.contains("prefers-color-scheme"));
    [colours(light), colours(dark)]
}

/// `#fff` or `#1b1f24`.
fn colour(text: &str) -> Option<[f64; 3]> {
    let digits: Vec<u32> = text
        .strip_prefix('#')?
        .chars()
        .map_while(|digit| digit.to_digit(16))
        .collect();
    let parts: Vec<u32> = match digits.len() {
        3 => digits.iter().map(|digit| digit * 17).collect(),
        6 => digits
            .chunks(2)
            .map(|pair| pair[0] * 16 + pair[1])
            .collect(),
        _ => return None,
    };
    Some([0, 1, 2].map(|at| f64::from(parts[at]) / 255.0))
}

/// Relative luminance, as the guidelines define it.
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|part| match part <= 0.04045 {
        true => part / 12.92,
        false => ((part + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    (a / b).max(b / a)
}

#[track_caller]
fn assert_contrast(style: &str, at_least: f64, front: &[&str], back: &[&str]) {
    for (colours, scheme) in schemes(style).iter().zip(["light", "dark"]) {
        for (front, back) in front
            .iter()
            .flat_map(|front| back.iter().map(move |back| (front, back)))
        {
            let contrast = contrast(colours[*front], colours[*back]);
            assert!(
                contrast >= at_least,
                "{scheme}: {front} on {back} has {contrast:.2} to 1"
            );
        }
    }
}

#[test]
fn the_contrast_is_that_of_the_guidelines() {
    let [white, black, grey] = ["#fff", "#000000", "#777"].map(|text| colour(text).unwrap());
    assert_eq!(contrast(white, black), 21.0);
    assert_eq!((contrast(white, grey) * 100.0).round(), 448.0);
}

#[test]
fn the_picture_is_readable_in_light_and_dark() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {});
    let picture = recording.svg();
    let (_, style) = picture.split_once("<style>").unwrap();
    let bars = ["timer", "overdue", "other", "closure", "queued", "idle"];
    assert_contrast(style, 4.5, &["ink"], &bars);
    assert_contrast(style, 4.5, &["ink", "faint", "long"], &["ground"]);
    assert_contrast(style, 3.0, &["poll", "long", "arrow"], &["ground", "idle"]);
}

#[test]
fn the_player_is_readable_in_light_and_dark() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {});
    let page = recording.html("readable");
    let (_, style) = page.split_once("<style>").unwrap();
    assert_contrast(
        style,
        4.5,
        &["ink", "accent"],
        &["ground", "panel", "mark", "run"],
    );
    assert_contrast(style, 4.5, &["faint"], &["ground", "panel", "mark", "run"]);
    assert_contrast(style, 4.5, &["bad"], &["panel"]);
    assert_contrast(style, 4.5, &["on-accent"], &["accent"]);
}
