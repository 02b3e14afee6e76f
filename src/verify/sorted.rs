//! Items in order, as many as there may be: in memory up to a budget, beyond it in files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write as _};

use tempfile::tempfile_in;

/// An item of constant size.
pub trait Item: Copy + Ord {
    /// How many bytes it has in a file.
    const BYTES: usize;

    /// Writes it.
    fn put(&self, bytes: &mut [u8]);

    /// Reads what was written.
    fn get(bytes: &[u8]) -> Self;
}

/// Collects items and gives them back in order.
#[derive(Debug)]
pub struct Sorted<T> {
    items: Vec<T>,
    /// So many wait in memory at most.
    items_max: usize,
    /// Files of items in order each; they have no names, and go with the process.
    files: Vec<File>,
    folder: std::path::PathBuf,
}

/// How many files there may be before they are made one.
const FILES_MAX: usize = 64;

impl<T: Item> Sorted<T> {
    /// Nothing yet; more than `items_max` items go to files in a folder.
    pub fn new(items_max: usize, folder: &std::path::Path) -> Self {
        Self { items: Vec::new(), items_max, files: Vec::new(), folder: folder.to_owned() }
    }

    /// Adds an item.
    pub fn push(&mut self, item: T) -> io::Result<()> {
        if self.items.len() >= self.items_max {
            self.spill()?;
        }
        self.items.push(item);
        Ok(())
    }

    /// Writes what is in memory to a file.
    fn spill(&mut self) -> io::Result<()> {
        self.items.sort_unstable();
        let mut file = self.file()?;
        let mut bytes = vec![0; T::BYTES];
        for item in self.items.drain(..) {
            item.put(&mut bytes);
            file.write_all(&bytes)?;
        }
        self.files.push(file.into_inner().map_err(io::IntoInnerError::into_error)?);
        if self.files.len() >= FILES_MAX {
            self.join()?;
        }
        Ok(())
    }

    fn file(&self) -> io::Result<BufWriter<File>> {
        Ok(BufWriter::with_capacity(1 << 18, tempfile_in(&self.folder)?))
    }

    /// Makes one file of all.
    fn join(&mut self) -> io::Result<()> {
        let mut joined = self.file()?;
        let files = std::mem::take(&mut self.files);
        let mut bytes = vec![0; T::BYTES];
        for item in merged::<T>(Vec::new(), files)? {
            item?.put(&mut bytes);
            joined.write_all(&bytes)?;
        }
        self.files.push(joined.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(())
    }

    /// All items, in order.
    pub fn finish(mut self) -> io::Result<Merged<T>> {
        self.items.sort_unstable();
        merged(self.items, self.files)
    }
}

fn merged<T: Item>(items: Vec<T>, files: Vec<File>) -> io::Result<Merged<T>> {
    let mut runs = vec![Run::Memory(items.into_iter())];
    for mut file in files {
        file.rewind()?;
        runs.push(Run::File(BufReader::with_capacity(1 << 16, file)));
    }
    let mut heads = BinaryHeap::new();
    for (number, run) in runs.iter_mut().enumerate() {
        if let Some(item) = run.next()? {
            heads.push(Reverse((item, number)));
        }
    }
    Ok(Merged { runs, heads })
}

/// Items in order; see [`Sorted::finish`].
#[derive(Debug)]
pub struct Merged<T> {
    runs: Vec<Run<T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

#[derive(Debug)]
enum Run<T> {
    Memory(std::vec::IntoIter<T>),
    File(BufReader<File>),
}

impl<T: Item> Run<T> {
    fn next(&mut self) -> io::Result<Option<T>> {
        let file = match self {
            Self::Memory(items) => return Ok(items.next()),
            Self::File(file) => file,
        };
        let mut bytes = vec![0; T::BYTES];
        match file.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(T::get(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<T: Item> Iterator for Merged<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<io::Result<T>> {
        let Reverse((item, number)) = self.heads.pop()?;
        match self.runs[number].next() {
            Ok(next) => self.heads.extend(next.map(|next| Reverse((next, number)))),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Item for u64 {
        const BYTES: usize = 8;

        fn put(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.to_le_bytes());
        }

        fn get(bytes: &[u8]) -> Self {
            let (number, _) = bytes.split_first_chunk().unwrap();
            Self::from_le_bytes(*number)
        }
    }

    #[test]
    fn items_come_back_in_order_however_many_files_they_took() {
        let folder = tempfile::tempdir().unwrap();
        for (count, items_max) in [(0, 4), (3, 4), (1_000, 7), (1_000, 1), (5, 5)] {
            let mut sorted = Sorted::new(items_max, folder.path());
            // 7 has no divisor in common with the counts: each number below comes once.
            for number in 0..count {
                sorted.push(number * 7 % count).unwrap();
            }
            assert!(sorted.files.len() <= FILES_MAX);
            let all: Vec<u64> = sorted.finish().unwrap().map(Result::unwrap).collect();
            assert!(all.iter().copied().eq(0..count), "{count} by {items_max}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let mut sorted = Sorted::new(1, std::path::Path::new("/there/is/no/such/folder"));
        sorted.push(1_u64).unwrap();
        assert!(sorted.push(2).is_err());
    }
}
