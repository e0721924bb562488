//! What a task is called, in traces and messages.

use std::borrow::Cow;

/// A task's name: the last part of its future's type, or what it was given.
pub(crate) type Name = Cow<'static, str>;

/// The last part of a type's path: `task_async` of `app::task_async::{{closure}}`, which is what
/// the compiler calls the future of `async fn task_async` in the crate `app`, and `run` of
/// `<app::Server<u8> as app::Run>::run::{{closure}}`.
///
/// A box or a reference says nothing: what is in it counts.
pub(crate) fn short_name(type_name: &'static str) -> &'static str {
    for (before, after) in [
        ("core::pin::Pin<", ">"),
        ("alloc::boxed::Box<", ">"),
        ("&mut ", ""),
    ] {
        let inside = type_name.strip_prefix(before);
        if let Some(inside) = inside.and_then(|inside| inside.strip_suffix(after)) {
            return short_name(inside);
        }
    }
    // Of `dyn Future<..> + Send` the first says most.
    if type_name.starts_with("dyn ")
        && let Some((first, last)) = type_name.rsplit_once(" + ")
        && !last.contains(['<', '>', '(', ')'])
    {
        return short_name(first);
    }
    let mut depth = 0;
    let mut before = ' ';
    // What stands in brackets has paths of its own.
    let parts = type_name.split(|c: char| {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        before = c;
        c == ':' && depth == 0
    });
    parts
        .filter_map(|part| part.split(['<', '(', '[']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('{'))
        .last()
        .unwrap_or(type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_last_part_of_the_type() {
        for (type_name, name) in [
            ("app::task_async::{{closure}}", "task_async"),
            ("app::main::{{closure}}::{{closure}}", "main"),
            ("watchglass::time::Timeout<app::f::{{closure}}>", "Timeout"),
            ("<app::Server<u8> as app::Run>::run::{{closure}}", "run"),
            ("app::Server<fn(u8) -> app::T>::run::{{closure}}", "run"),
            ("&mut app::f<app::g::{{closure}}>::{{closure}}", "f"),
            (
                "core::pin::Pin<alloc::boxed::Box<app::f::{{closure}}>>",
                "f",
            ),
            ("core::pin::Pin<&mut app::f::{{closure}}>", "f"),
            (
                "core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output = ()> + core::marker::Send>>",
                "Future",
            ),
            (
                "alloc::boxed::Box<dyn app::Job + core::marker::Send>",
                "Job",
            ),
            (
                "dyn app::Job<fn(u8) -> u8> + core::marker::Send + core::marker::Sync",
                "Job",
            ),
            ("dyn app::Of<dyn app::Job + core::marker::Send>", "Of"),
            ("(app::f, app::g)", "(app::f, app::g)"),
            ("u8", "u8"),
        ] {
            assert_eq!(short_name(type_name), name);
        }
    }
}
