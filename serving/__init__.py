"""What the front door and the partners do alike over HTTP: fields, problems, pages and limits."""
