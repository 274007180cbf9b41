-- ADD JAR of a file that is not there.
-- dialect: S18

ADD JAR '/nowhere/x.jar';
