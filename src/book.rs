//! The book: from the first poll to an executor of your own.
//!
// These are the chapters of `docs/`. `cargo test --doc` compiles and runs every program in them.
// The example programs that they name lie in `examples/` and `docs/listings/` of the repository.
//
// A chapter links to others by path, as its readers on a forge need it. `book_links.md` stands
// above each chapter and gives the same labels their meaning inside the API docs: where a label
// is defined twice, Markdown takes the first. `book_pictures.md` does so for the pictures; the test
// `chapter_pictures` writes it.
#![doc = include_str!("book_links.md")]
#![doc = include_str!("../docs/README.md")]

/// A heading and a program.
macro_rules! program {
    ($name:literal, $path:literal) => {
        concat!(
            "\n# ",
            $name,
            "\n\n~~~text\n",
            include_str!(concat!("../../", $path)),
            "\n~~~\n"
        )
    };
}

pub mod programs;

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/01-two-programs.md")]
pub mod chapter_01_two_programs {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/02-calling-does-nothing.md")]
pub mod chapter_02_calling_does_nothing {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/03-poll-it-yourself.md")]
pub mod chapter_03_poll_it_yourself {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/04-an-async-fn-is-an-enum.md")]
pub mod chapter_04_an_async_fn_is_an_enum {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/05-what-rustc-wrote.md")]
pub mod chapter_05_what_rustc_wrote {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/06-pin.md")]
pub mod chapter_06_pin {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/07-the-waker.md")]
pub mod chapter_07_the_waker {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/08-an-executor-in-a-hundred-lines.md")]
pub mod chapter_08_an_executor_in_a_hundred_lines {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/09-the-timer-wheel.md")]
pub mod chapter_09_the_timer_wheel {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/10-join-spawn-race-cancel.md")]
pub mod chapter_10_join_spawn_race_cancel {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/11-when-it-goes-wrong.md")]
pub mod chapter_11_when_it_goes_wrong {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/12-back-to-python.md")]
pub mod chapter_12_back_to_python {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/13-in-a-debugger.md")]
pub mod chapter_13_in_a_debugger {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("book_pictures.md")]
#[doc = include_str!("../docs/lab.md")]
pub mod lab {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("../docs/mistakes.md")]
pub mod mistakes {}

#[doc = include_str!("book_links.md")]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}
