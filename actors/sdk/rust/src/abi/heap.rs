//! The heap of an actor: the standard library's own allocator, but it begins with memory the module
//! has anyway.
//!
//! The standard library asks for more memory at the first allocation. For an actor that is a new
//! instance for each call (`isolation: fresh`) that is every call, and the host has to change the
//! protection of pages twice for it, with all other threads waiting: a third of such a call's time.

#![allow(unsafe_code, reason = "an allocator hands out memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use dlmalloc::{Allocator, Dlmalloc};

/// Bytes the heap begins with; enough for the messages of most calls. Costs nothing until touched.
const FIRST_BYTES: usize = 256 << 10;
const PAGE_BYTES: usize = 64 << 10;

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Memory)));

/// The first bytes, and whether they were handed out: all zero, so that the module's file holds
/// nothing of them.
static FIRST: First = First(UnsafeCell::new([0; FIRST_BYTES]));
// Relaxed: an actor has one thread.
static GIVEN: AtomicBool = AtomicBool::new(false);

struct Heap(UnsafeCell<Dlmalloc<Memory>>);

/// Aligned as the allocator aligns what it hands out.
#[repr(align(16))]
struct First(UnsafeCell<[u8; FIRST_BYTES]>);

/// Where the allocator gets memory from.
struct Memory;

// SAFETY: an actor has one thread.
unsafe impl Sync for Heap {}

// SAFETY: as for `Heap`.
unsafe impl Sync for First {}

// SAFETY: `Dlmalloc` keeps the contract of an allocator. There is one thread, and none of its
// functions calls back, so no two references to it exist at once.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above; the caller keeps the rules of `GlobalAlloc`.
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above; the caller keeps the rules of `GlobalAlloc`.
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: see above; the caller keeps the rules of `GlobalAlloc`.
        unsafe { (*self.0.get()).free(pointer, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see above; the caller keeps the rules of `GlobalAlloc`.
        unsafe { (*self.0.get()).realloc(pointer, layout.size(), layout.align(), size) }
    }
}

// SAFETY: both the first bytes and what `memory.grow` adds are zero, belong to nobody else, and are
// never taken back.
unsafe impl Allocator for Memory {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= FIRST_BYTES && !GIVEN.swap(true, Ordering::Relaxed) {
            return (FIRST.0.get().cast(), FIRST_BYTES, 0);
        }
        let pages = size.div_ceil(PAGE_BYTES);
        match core::arch::wasm32::memory_grow::<0>(pages) {
            usize::MAX => (ptr::null_mut(), 0, 0),
            before => ((before * PAGE_BYTES) as *mut u8, pages * PAGE_BYTES, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_BYTES
    }
}
