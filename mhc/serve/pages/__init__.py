"""The pages. Each module reads what its page shows, in a thread of the site, and fills a template."""
