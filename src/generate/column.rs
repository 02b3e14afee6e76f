//! Columns of `u32` words, the only form of a value before it is written.

pub use crate::plan::program::{Register, Wide};

/// Rows that a program handles at once; small enough that all columns stay in the second-level
/// cache. The bytes of an event do not depend on it.
pub const CHUNK_ROWS: usize = 256;

/// Columns of one number of rows; arrays and maps inside a row have frames of their own.
///
/// A word is read as unsigned, as two's complement, or as one half of a [`Wide`]: which, is said
/// by whoever reads it.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    rows: usize,
    capacity: usize,
    columns: Vec<Box<[u32]>>,
    children: Vec<Child>,
    windows: Vec<Box<[Window]>>,
}

/// A stretch of a member's walk that a reader was in before: remembered, so that the next reading in
/// it is shorter. It never changes what is read.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The member.
    pub member: u32,
    /// The number of the window.
    pub number: u64,
    /// Where the walk is at its ends.
    pub ends: [i64; 2],
}

/// Windows that are remembered of each walk: 256 KiB.
const WINDOWS: usize = 8_192;

/// The items of one array or map field, of all rows of the frame above, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Child {
    /// Row `r` of the frame above owns the items `starts[r]..starts[r + 1]`.
    pub starts: Vec<u32>,
    /// The items' columns.
    pub frame: Frame,
    /// The event that is row `r` of the outermost frame owns the items `events[r]..events[r + 1]`.
    pub events: Vec<u32>,
    /// Room for one chunk of items while it is made.
    pub chunk: Box<Frame>,
}

impl Frame {
    /// A frame of `columns` columns, with room for `capacity` rows in each.
    pub fn new(columns: usize, capacity: usize) -> Self {
        let columns = (0..columns).map(|_| vec![0; capacity].into_boxed_slice()).collect();
        Self { rows: 0, capacity, columns, children: Vec::new(), windows: Vec::new() }
    }

    /// Makes room for so many rows, in some of `columns` columns; those that had less room lose what
    /// is in them.
    pub fn reserve(&mut self, columns: usize, used: &[Register], rows: usize) {
        if self.columns.len() < columns {
            self.columns.resize_with(columns, Box::default);
        }
        if rows > self.capacity || self.columns.iter().all(|column| column.is_empty()) {
            self.capacity = rows.next_power_of_two().max(CHUNK_ROWS);
            for register in used {
                self.columns[usize::from(register.0)] = vec![0; self.capacity].into_boxed_slice();
            }
        }
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// How many rows are in use.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Sets how many rows are in use.
    ///
    /// # Panics
    ///
    /// If a column has no room for them.
    pub fn set_rows(&mut self, rows: usize) {
        let room = if self.columns.is_empty() { rows } else { self.capacity };
        assert!(rows <= room, "a frame with room for {room} rows was told to hold {rows}");
        self.rows = rows;
    }

    /// The words of a column, one a row in use.
    pub fn column(&self, register: Register) -> &[u32] {
        &self.columns[usize::from(register.0)][..self.rows]
    }

    /// The words of a column, to be written.
    pub fn column_mut(&mut self, register: Register) -> &mut [u32] {
        &mut self.columns[usize::from(register.0)][..self.rows]
    }

    /// Takes a column out, so that it can be written while others are read; put it back after.
    pub fn take(&mut self, register: Register) -> Box<[u32]> {
        std::mem::take(&mut self.columns[usize::from(register.0)])
    }

    /// Puts back a column that was taken out.
    pub fn put(&mut self, register: Register, column: Box<[u32]>) {
        self.columns[usize::from(register.0)] = column;
    }

    /// The frames of the arrays and maps in a row, in the order in which the program made them.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// The same, to be written.
    pub fn children_mut(&mut self) -> &mut Vec<Child> {
        &mut self.children
    }

    /// Forgets the arrays and maps, which only one program can use; the columns remain, for any other
    /// that needs no more of them, and the windows of walks, which are numbered through the model.
    pub fn forget(&mut self) {
        self.children.clear();
    }

    /// What is remembered of the walk of that number: a power of two of windows.
    pub fn windows_mut(&mut self, walk: usize) -> &mut [Window] {
        const NEVER: Window = Window { member: 0, number: u64::MAX, ends: [0; 2] };
        while self.windows.len() <= walk {
            self.windows.push(vec![NEVER; WINDOWS].into_boxed_slice());
        }
        &mut self.windows[walk]
    }
}
