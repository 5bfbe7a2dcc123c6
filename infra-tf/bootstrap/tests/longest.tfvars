project              = "abcdefghijklmnopqrstuvw"
region               = "ap-southeast-2"
database_key_enabled = true
