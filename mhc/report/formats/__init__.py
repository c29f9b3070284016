"""A report as a page, as Markdown, as LaTeX tables, and as files of figures."""
