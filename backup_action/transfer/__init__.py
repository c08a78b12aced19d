"""Does one thing to each item of a pile, many at a time, in bounded memory, and hands the results on in order.

Three bounds hold whatever the tree: the bytes of content held at a time, the results that wait for an earlier one,
and the requests under way. The first Stop ends everything.
"""
