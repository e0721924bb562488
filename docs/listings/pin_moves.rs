//! A pin around a value that may be moved does not stop anybody from moving it.

use std::mem;
use std::pin::Pin;

fn main() {
    let mut left = String::from("left");
    let mut right = String::from("right");
    let left_pinned: Pin<&mut String> = Pin::new(&mut left);
    let right_pinned: Pin<&mut String> = Pin::new(&mut right);
    mem::swap(left_pinned.get_mut(), right_pinned.get_mut());
    println!("left is {left:?}, right is {right:?}");
}
