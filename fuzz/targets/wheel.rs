//! Bytes as operations on the timer wheel, held against a map.
#![no_main]
#![allow(dead_code)]

#[path = "../../src/wheel/against_map.rs"]
mod against_map;
#[path = "../../src/free.rs"]
mod free;
#[path = "../../src/wheel.rs"]
mod wheel;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| against_map::check(bytes));
