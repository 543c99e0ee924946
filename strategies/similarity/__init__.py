"""Response similarity: its value types, its judge, and the cosine of embeddings."""
