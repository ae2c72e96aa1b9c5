//! Reads the fields of one packet in their order. A field that ends behind the packet is malformed, never a panic.

use crate::error::{Error, malformed, protocol};
use crate::varint::{self, Varint};
use crate::{PacketId, text};

const CUT_SHORT: &str = "ends behind its packet";

/// What is still unread of a packet or of a part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks that nothing follows the last field.
    pub(crate) fn end(&self, packet: &'static str) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed(packet, "has bytes behind its last field")) }
    }

    #[inline]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Error> {
        let (byte, rest) = self.rest.split_first().ok_or(malformed(field, CUT_SHORT))?;
        self.rest = rest;
        Ok(*byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(malformed(field, CUT_SHORT))?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(malformed(field, CUT_SHORT))?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// A Variable Byte Integer in its shortest form. [MQTT-1.5.5-1]
    #[inline]
    pub(crate) fn varint(&mut self, field: &'static str) -> Result<u32, Error> {
        match varint::read(self.rest) {
            Varint::Value(value, len) if len == varint::len(value) => {
                self.rest = &self.rest[len..];
                Ok(value)
            }
            Varint::Value(..) => Err(malformed(field, "is not in its shortest form [MQTT-1.5.5-1]")),
            Varint::Incomplete => Err(malformed(field, CUT_SHORT)),
            Varint::TooLong => Err(malformed(field, "has more than four bytes")),
        }
    }

    /// As many bytes as said.
    #[inline]
    pub(crate) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], Error> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(malformed(field, CUT_SHORT))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Binary Data: two bytes of length, then the bytes.
    #[inline]
    pub(crate) fn binary(&mut self, field: &'static str) -> Result<&'a [u8], Error> {
        let len = self.u16(field)?;
        self.take(len.into(), field)
    }

    pub(crate) fn string(&mut self, field: &'static str) -> Result<&'a str, Error> {
        text::string(self.binary(field)?, field)
    }

    pub(crate) fn name(&mut self, field: &'static str) -> Result<&'a str, Error> {
        text::name(self.binary(field)?, field)
    }

    #[inline]
    pub(crate) fn topic_name(&mut self, field: &'static str) -> Result<&'a str, Error> {
        text::topic_name(self.binary(field)?, field)
    }

    /// A Topic Filter; whether its wildcards stand right is `martlet-topic`'s question. [MQTT-4.7.3-1]
    pub(crate) fn topic_filter(&mut self) -> Result<&'a str, Error> {
        let filter = self.name("Topic Filter")?;
        if filter.is_empty() { Err(malformed("Topic Filter", "is empty [MQTT-4.7.3-1]")) } else { Ok(filter) }
    }

    #[inline]
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, Error> {
        PacketId::new(self.u16("Packet Identifier")?)
            .ok_or(protocol("Packet Identifier", "is 0 [MQTT-2.2.1-3]"))
    }

    /// The Packet Identifier of a SUBSCRIBE or UNSUBSCRIBE, where Mosquitto's tests want zero to be malformed.
    pub(crate) fn request_id(&mut self) -> Result<PacketId, Error> {
        PacketId::new(self.u16("Packet Identifier")?)
            .ok_or(malformed("Packet Identifier", "is 0 [MQTT-2.2.1-3]"))
    }
}
