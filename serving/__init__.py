"""What the front door and the partners say over HTTP in the same way: fields, problems, pages and limits."""
