"""Everything that a person looks at: the terminal's views, tables for documents, the glossary."""
