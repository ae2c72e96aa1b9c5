//! Topic Names, Topic Filters, and the two maps that join them.
