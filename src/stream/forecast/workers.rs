//! Work that is shared by threads, job by job.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::stream::Error;

/// Lets `threads` threads, each with a worker of its own, do the jobs 0, 1, 2… until one says that
/// there is no such job; gives the workers back.
pub(super) fn share<W: Send>(
    threads: usize,
    worker: impl Fn() -> W + Sync,
    job: impl Fn(&mut W, u64) -> Result<bool, Error> + Sync,
) -> Result<Vec<W>, Error> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut worker = worker();
        while job(&mut worker, next.fetch_add(1, Ordering::Relaxed))? {}
        Ok(worker)
    };
    std::thread::scope(|scope| {
        let start = |number: usize| {
            let thread = std::thread::Builder::new().name(format!("count-{number}"));
            thread.spawn_scoped(scope, work).map_err(Error::Thread)
        };
        let started = (0..threads.max(1)).map(start).collect::<Result<Vec<_>, _>>()?;
        started.into_iter().map(|it| it.join().map_err(|_| Error::Panicked).flatten()).collect()
    })
}
