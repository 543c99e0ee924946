"""Pure decisions of a measurement: choosing templates, rewriting them and judging replies."""
