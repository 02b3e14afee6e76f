//! Writing to the terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::observe::progress::View;

/// Between two lines where stderr is no terminal.
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(10);

/// How long the bar is, in characters.
const BAR_STEPS: u64 = 40;

/// Stderr, for people. What is written is shared by all copies, so that the live line stays below.
#[derive(Clone, Debug)]
pub struct People {
    bars: MultiProgress,
    /// Whether people are spoken to at all.
    quiet: bool,
}

impl People {
    /// Speaks on stderr, or not at all.
    pub fn new(quiet: bool) -> Self {
        Self { bars: MultiProgress::new(), quiet }
    }

    /// Whether colours are wanted on stderr: a terminal, and no `NO_COLOR`.
    pub fn colour() -> bool {
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
    }

    /// Says something, unless told to be quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.insist(text);
        }
    }

    /// Says something that must be said: an error.
    pub fn insist(&self, text: &str) {
        let written = self.bars.suspend(|| writeln!(io::stderr().lock(), "{}", text.trim_end()));
        // There is nobody left to tell that stderr is closed.
        drop(written);
    }

    /// The live line.
    pub fn live_line(&self, stdout_is_taken: bool) -> LiveLine {
        if self.quiet {
            return LiveLine::Silent;
        }
        let shared = stdout_is_taken && io::stdout().is_terminal();
        if !io::stderr().is_terminal() || shared {
            return LiveLine::Plain { people: self.clone(), last_ns: None };
        }
        let bar = self.bars.add(ProgressBar::new(BAR_STEPS));
        // The state and what is left have a line each: together they are too long for a terminal
        // of 80 columns.
        let style = ProgressStyle::with_template("{spinner} {wide_msg}\n  {prefix}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        LiveLine::Redrawn(bar)
    }

    /// Sends logs to stderr, above the live line.
    ///
    /// # Errors
    ///
    /// A filter that cannot be understood, with the reason.
    pub fn log(&self, filter: &str, json: bool) -> Result<(), String> {
        // What the library warns of in schemas, the configuration tells with its place.
        let filter = match filter {
            "warn" | "info" => format!("{filter},apache_avro=error"),
            filter => filter.to_owned(),
        };
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(self.clone());
        let set = if json {
            builder.json().with_ansi(false).try_init()
        } else {
            builder.with_ansi(Self::colour()).try_init()
        };
        set.map_err(|error| error.to_string())
    }
}

impl<'a> MakeWriter<'a> for People {
    type Writer = Above<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Above(&self.bars)
    }
}

/// Writes to stderr above the live line.
#[derive(Debug)]
pub struct Above<'a>(&'a MultiProgress);

impl io::Write for Above<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// How a run is shown while it goes on.
#[derive(Debug)]
pub enum LiveLine {
    /// Not at all.
    Silent,
    /// A line every 10 seconds.
    Plain {
        /// Where to.
        people: People,
        /// When the last one was written, on the wall clock.
        last_ns: Option<i64>,
    },
    /// One line that is drawn again and again.
    Redrawn(ProgressBar),
}

impl LiveLine {
    /// Shows how the run goes at the wall clock `now_ns`.
    pub fn show(&mut self, view: &View, now_ns: i64) {
        let rest = view.share.map(|share| drawn(share, &view.rest()));
        match self {
            Self::Plain { .. } => self.tell(&view.to_string(), now_ns),
            Self::Redrawn(bar) => {
                bar.set_prefix(rest.unwrap_or_default());
                self.tell(&view.state(), now_ns);
            }
            Self::Silent => {}
        }
    }

    /// Shows a line at the wall clock `now_ns`.
    pub fn tell(&mut self, line: &str, now_ns: i64) {
        match self {
            Self::Silent => {}
            Self::Plain { people, last_ns } => {
                let since_ns = last_ns.get_or_insert(now_ns);
                let every_ns = i64::try_from(PLAIN_LINE_EVERY.as_nanos()).unwrap_or(i64::MAX);
                if now_ns - *since_ns >= every_ns {
                    *since_ns = now_ns;
                    people.say(line);
                }
            }
            Self::Redrawn(bar) => {
                bar.set_message(line.to_owned());
                bar.tick();
            }
        }
    }

    /// Takes the line away.
    pub fn finish(&mut self) {
        if let Self::Redrawn(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A bar for the share that is done, and what is left in words.
fn drawn(share: f64, rest: &str) -> String {
    let done = (1..=BAR_STEPS).take_while(|step| *step as f64 <= share * BAR_STEPS as f64).count();
    let left = usize::try_from(BAR_STEPS).unwrap_or(0) - done;
    format!("{}{} {rest}", "━".repeat(done), "·".repeat(left))
}

/// How a result is drawn on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canvas {
    /// Letters in a line.
    pub width: usize,
    /// Whether it may have colours.
    pub colour: bool,
}

impl Canvas {
    /// What stdout is: a terminal's width, and colours unless `NO_COLOR` is set; else 100 letters.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        let size = rustix::termios::tcgetwinsize(&stdout).ok().filter(|_| stdout.is_terminal());
        let width = size.map(|size| usize::from(size.ws_col)).filter(|width| *width >= 40);
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        Self { width: width.unwrap_or(100), colour: stdout.is_terminal() && !plain }
    }
}

/// Writes a result to stdout, with a line break.
///
/// # Errors
///
/// Stdout cannot be written to; a reader that left early (`| head`) is no error.
pub fn result(text: &str) -> io::Result<()> {
    lines(format!("{text}\n").as_bytes()).map(drop)
}

/// Writes whole lines to stdout; false if nobody reads them any more.
///
/// # Errors
///
/// Stdout cannot be written to.
pub fn lines(text: &[u8]) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true),
    }
}
