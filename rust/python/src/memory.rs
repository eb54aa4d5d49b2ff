//! The allocator of the extension.

/// A request takes some dozen small allocations, and this allocator makes each of them cheaper than the system's does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives memory back to the system that nobody uses any more. Reading and compiling a document takes several times the memory
/// that the compiled one keeps, and the allocator would hold on to it.
pub fn give_back() {
    // SAFETY: `mi_collect` takes no pointer and may be called at any time by any thread.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
