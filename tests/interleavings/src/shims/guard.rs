// No panic is kept from going anywhere here: the checkers tell by one what they have found.

pub fn contain(code: impl FnOnce()) {
    code();
}

pub fn drop_contained<T>(value: T) {
    drop(value);
}

pub fn drop_and_resume<T>(value: T, panic: Box<dyn std::any::Any + Send>) -> ! {
    drop(value);
    std::panic::resume_unwind(panic)
}
