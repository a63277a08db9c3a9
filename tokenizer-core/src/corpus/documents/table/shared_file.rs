//! A file that several threads read at once, each at its own place.
//!
//! Clones of a [`File`] share one place, and the reader of tables moves it: two threads would read each
//! other's bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

pub(super) struct SharedFile {
    file: Arc<Mutex<File>>,
    length: u64,
}

impl SharedFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let file = Arc::new(Mutex::new(file));
        Ok(SharedFile { file, length })
    }

    fn at(&self, place: u64) -> PlaceInFile {
        PlaceInFile {
            file: Arc::clone(&self.file),
            place,
        }
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<PlaceInFile>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(self.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Reserved as it is read: the length comes from the table.
        let mut bytes = Vec::new();
        let read = self.at(start).take(length as u64).read_to_end(&mut bytes)?;
        match read == length {
            true => Ok(bytes.into()),
            false => Err(ParquetError::EOF("the table ends before it".to_owned())),
        }
    }
}

/// Reads on from a place of its own.
pub(super) struct PlaceInFile {
    file: Arc<Mutex<File>>,
    place: u64,
}

impl Read for PlaceInFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.place))?;
        let read = file.read(buffer)?;
        self.place += read as u64;
        Ok(read)
    }
}
