//! Jobs in the order of model time: those that wait, are in the making, or are made.

use std::collections::VecDeque;

use crate::plan::batch::Job;

/// What is between the last batch that was handed out and the last job that was begun.
#[derive(Debug)]
pub(super) struct Jobs<T> {
    places: VecDeque<Place<T>>,
    /// How many places from the first on may be in the making or made.
    room: usize,
    /// Given to the next place.
    id: u64,
    /// The number of the next job that nobody has begun.
    next: u64,
}

#[derive(Debug)]
struct Place<T> {
    id: u64,
    stage: Stage<T>,
}

#[derive(Debug)]
enum Stage<T> {
    /// Part of a job that was too large.
    Waiting(Job),
    Making,
    Made(T),
}

impl<T> Jobs<T> {
    /// Room for so many batches.
    pub(super) fn new(room: usize) -> Self {
        Self { places: VecDeque::new(), room, id: 0, next: 0 }
    }

    /// The first job that nobody has begun, and its place; its part of the end if `job` has no more.
    /// None: there is no room.
    pub(super) fn begin(
        &mut self,
        job: impl FnOnce(u64) -> Option<Job>,
    ) -> Option<(u64, Option<Job>)> {
        for place in self.places.iter_mut().take(self.room) {
            if matches!(place.stage, Stage::Waiting(_))
                && let Stage::Waiting(job) = std::mem::replace(&mut place.stage, Stage::Making)
            {
                return Some((place.id, Some(job)));
            }
        }
        if self.places.len() >= self.room {
            return None;
        }
        let (id, number) = (self.id, self.next);
        self.id += 1;
        self.next += 1;
        self.places.push_back(Place { id, stage: Stage::Making });
        Some((id, job(number)))
    }

    /// Puts what was made into its place.
    pub(super) fn finish(&mut self, id: u64, made: T) {
        if let Some(place) = self.places.iter_mut().find(|place| place.id == id) {
            place.stage = Stage::Made(made);
        }
    }

    /// Puts parts in the place of the job that was begun there.
    pub(super) fn cut(&mut self, id: u64, parts: Vec<Job>) {
        let Some(at) = self.places.iter().position(|place| place.id == id) else { return };
        let after = self.places.split_off(at + 1);
        self.places.pop_back();
        for part in parts {
            self.places.push_back(Place { id: self.id, stage: Stage::Waiting(part) });
            self.id += 1;
        }
        self.places.extend(after);
    }

    /// What is the first in order, if it is made.
    pub(super) fn take(&mut self) -> Option<T> {
        if !matches!(self.places.front()?.stage, Stage::Made(_)) {
            return None;
        }
        match self.places.pop_front()?.stage {
            Stage::Made(made) => Some(made),
            Stage::Waiting(_) | Stage::Making => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u64) -> Option<Job> {
        (number < 5).then(|| Job::new(number * 100..(number + 1) * 100, 100))
    }

    fn part(job: &Job, number: u64) -> Job {
        Job::new(job.window_us.start + number * 25..job.window_us.start + (number + 1) * 25, 100)
    }

    #[test]
    fn parts_come_in_the_place_of_their_job_and_before_later_ones() {
        let mut jobs: Jobs<u64> = Jobs::new(3);
        let begun: Vec<_> = (0..3).map(|_| jobs.begin(job).unwrap()).collect();
        assert_eq!(jobs.begin(job), None, "there is no room");
        jobs.finish(begun[2].0, 200);
        let first = begun[0].1.as_ref().unwrap();
        jobs.cut(begun[0].0, (0..4).map(|number| part(first, number)).collect());
        assert_eq!(jobs.take(), None, "none of the parts is made");
        // Three places are open, though two jobs are in the making and made besides.
        let mut parts: Vec<_> = (0..3).map(|_| jobs.begin(job).unwrap()).collect();
        assert_eq!(jobs.begin(job), None);
        let starts: Vec<u64> =
            parts.iter().map(|(_, job)| job.as_ref().unwrap().window_us.start).collect();
        assert_eq!(starts, [0, 25, 50]);
        for (id, job) in parts.drain(..).rev() {
            jobs.finish(id, job.unwrap().window_us.start);
        }
        assert_eq!((jobs.take(), jobs.take(), jobs.take()), (Some(0), Some(25), Some(50)));
        assert_eq!(jobs.take(), None, "the last part is not begun");
        let (id, last) = jobs.begin(job).unwrap();
        jobs.finish(id, last.unwrap().window_us.start);
        jobs.finish(begun[1].0, 100);
        assert_eq!((jobs.take(), jobs.take(), jobs.take()), (Some(75), Some(100), Some(200)));
        assert_eq!(jobs.begin(job).unwrap().1, job(3));
        assert_eq!(jobs.begin(job).unwrap().1, job(4));
        assert_eq!(jobs.begin(job).unwrap().1, None, "the end has a place of its own");
    }
}
