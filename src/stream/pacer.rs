//! The pacer: releases slices at their intended times.
