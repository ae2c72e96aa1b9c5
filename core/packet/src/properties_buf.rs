//! Builds a property block, in the order of the pushes.

use crate::Properties;
use crate::properties::has_own_field;
use crate::property::Property;

/// A property block under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertiesBuf(Vec<u8>);

impl PropertiesBuf {
    /// Appends a property. Whether the packet may carry it, and only once, is the caller's to know.
    ///
    /// # Panics
    /// For a property that is a field of the packets that carry it (Topic Alias, Message Expiry Interval, Will Delay
    /// Interval, Subscription Identifier), and for strings and data of more than 65,535 bytes.
    pub fn push(&mut self, property: Property<'_>) -> &mut Self {
        assert!(!has_own_field(property.id()), "{} is a field of its packet", property.name());
        property.encode(&mut self.0);
        self
    }

    /// Whether nothing was pushed.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The block as packets take it.
    pub const fn as_properties(&self) -> Properties<'_> {
        Properties::from_checked(self.0.as_slice())
    }

    /// The bytes, for [`Properties::from_checked`].
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> FromIterator<Property<'a>> for PropertiesBuf {
    fn from_iter<I: IntoIterator<Item = Property<'a>>>(properties: I) -> Self {
        let mut block = Self::default();
        for property in properties {
            block.push(property);
        }
        block
    }
}
