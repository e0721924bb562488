//! Bytes as a program, on the executor and on the model of `tests/random_programs/`.
#![no_main]

#[path = "../../tests/random_programs/check.rs"]
mod check;
#[path = "../../tests/random_programs/model.rs"]
mod model;
#[path = "../../tests/random_programs/program.rs"]
mod program;
#[path = "../../tests/random_programs/real.rs"]
mod real;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(fault) = check::fault(bytes) {
        panic!("{fault}\n{:#?}", program::program(bytes));
    }
});
