//! A file that several threads read concurrently, each at its own offset.
//!
//! Clones of a [`File`] share one offset, which the Parquet reader moves, so threads would disturb each
//! other. Here, each reader has its own offset, and a mutex makes each seek and the read after it atomic.

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

    fn cursor(&self, offset: u64) -> FileCursor {
        FileCursor {
            file: Arc::clone(&self.file),
            offset,
        }
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<FileCursor>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(self.cursor(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Memory is not reserved in advance, since the length is untrusted.
        let mut bytes = Vec::new();
        let read = self
            .cursor(start)
            .take(length as u64)
            .read_to_end(&mut bytes)?;
        match read == length {
            true => Ok(bytes.into()),
            false => Err(ParquetError::EOF("unexpected end of the file".to_owned())),
        }
    }
}

/// A reader with its own offset.
pub(super) struct FileCursor {
    file: Arc<Mutex<File>>,
    offset: u64,
}

impl Read for FileCursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read(buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}
