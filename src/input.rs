//! The only code that opens anything for reading.
