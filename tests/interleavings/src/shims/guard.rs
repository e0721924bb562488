// No panic is kept from going anywhere here: the checkers tell by one what they have found.

pub fn contain(code: impl FnOnce()) {
    code();
}

pub fn drop_contained<T>(value: T) {
    drop(value);
}

pub fn output_after<T>(drop_future: impl FnOnce(), output: T) -> T {
    drop_future();
    output
}
