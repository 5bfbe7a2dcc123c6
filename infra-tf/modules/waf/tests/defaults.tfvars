name = "test"
