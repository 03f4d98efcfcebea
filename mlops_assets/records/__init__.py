"""What one stage or process hands to another besides frames: small frozen records, stored as JSON.

Also every file name that two processes share (`records.files`). What a person writes is in
`blocks`; a record that one module alone knows stays there.
"""
