"""What analysts say of principals: the record, what of it holds on a night, and the commands that write and list it."""
