"""From a record to a document: where it comes from, when it was read, what it says; the rest become attributes."""
