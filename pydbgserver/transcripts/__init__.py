"""Sessions on paper: recorded, by the server or between any two, played again against either side, and looked at."""
