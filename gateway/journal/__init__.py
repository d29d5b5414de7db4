"""What must not be lost: the journal of jobs, and the store of their content.

The order that makes a promise safe is always the same: content durable in the `BlobStore`, then the row
committed in the `Journal`, then the promise (for mail: the 250). A crash between two steps leaves an
orphan that the start-up sweep removes, never a promise without content.
"""
