"""The budget's side of one call: what it asks for, what is set aside for it, what it used, and the evidence of it.

    open        which call of which job is it, and what does it ask for?
    play        it is replayed: what was recorded is booked as used
    send        it is sent: an upper bound is set aside, deadlines are worked out
    chunk       a piece of the answer passes: is it still within the limits?
    settle      it ended: what it used takes the place of what was set aside

Each that finds a limit broken stops the job and returns the BudgetStopped; the caller raises it, or answers with it.
"""
