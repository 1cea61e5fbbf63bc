"""What writes the generated pages of the site: one module per kind of page, each function returns a page's text."""
