import sys
print "rows:", len(open(sys.argv[1]).readlines())
